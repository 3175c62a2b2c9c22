"""The page that `outreach report` writes: figures from records on disk, drawn, laid out."""
