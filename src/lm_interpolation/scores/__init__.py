"""Scores of texts, and how good their judges are."""
