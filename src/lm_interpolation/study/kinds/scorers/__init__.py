"""Kinds of scorers, one module each."""
