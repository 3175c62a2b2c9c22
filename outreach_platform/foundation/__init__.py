"""The ground floor every wing stands on. Knows no domain and imports no Dagster."""
