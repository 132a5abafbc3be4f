"""Analyses: what is computed at points or from weights without generating texts."""
