"""A copy of all state while it is in use: `outreach backup`."""
