"""Steer language models by arithmetic on their weights."""
