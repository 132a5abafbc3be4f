"""Texts: sampled at a point."""
