"""Texts sampled at points."""
