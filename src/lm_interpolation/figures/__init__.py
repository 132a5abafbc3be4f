"""Figures, and what is found in them."""
