"""Alerts: a message when something goes wrong and one when it is over."""
