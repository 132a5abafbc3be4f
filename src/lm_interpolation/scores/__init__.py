"""Scores of texts, and the quality of their judges."""
