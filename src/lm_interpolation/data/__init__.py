"""Corpora and prompts: sources, files, the built-in generator, leaks."""
