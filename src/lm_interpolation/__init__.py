"""Steer language models by arithmetic on their weights."""

__version__ = "0.1.0"
