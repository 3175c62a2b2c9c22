"""Ratios measured in one run, because machines are noisy and absolute times mislead."""
