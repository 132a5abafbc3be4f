"""Kinds of analyses, one module each."""
