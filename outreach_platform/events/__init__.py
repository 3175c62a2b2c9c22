"""Behavioural events: from PostgreSQL to versioned Parquet and a research database."""
