"""Figures, and the findings stated with them."""
