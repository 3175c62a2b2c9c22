"""PostgreSQL: addresses, connections, tables, bulk reads. Statements live where they are used."""
