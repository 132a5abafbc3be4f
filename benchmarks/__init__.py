"""Benchmarks (``make bench``): our work beside that of others, in the same run on the same machine."""
