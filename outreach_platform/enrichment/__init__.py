"""Invalid records out to the people who complete them, enriched records back to the master."""
