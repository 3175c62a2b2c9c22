"""Outreach snapshots, behavioural events, enrichment and SEC filings as one Dagster asset graph."""

__version__ = "0.1.0"
