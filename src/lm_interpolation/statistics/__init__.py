"""Intervals and tests that tables, figures and claims share."""
