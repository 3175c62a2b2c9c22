"""From the bytes of a filing to rows: pure functions, no database, no network, no Dagster."""
