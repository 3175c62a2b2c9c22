"""Monitoring: what is wrong now, found by looking at the instance and at the data folder."""
