"""The default set-up without services: an embedded PostgreSQL and generated sample data."""
