"""How whole the database is: counts by kind, twins, orphans, failures, chunks that do not cover."""

from outreach_platform.filings.health_sql import VIEW_SQL as VIEW_SQL
