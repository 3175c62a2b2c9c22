"""Running it: jobs, schedules, alerts, the web UI and its processes."""
