"""Kinds of figures, one module each."""
