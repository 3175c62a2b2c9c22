"""SEC filings: documents become sections, tables, footnotes and chunks in DuckDB."""
