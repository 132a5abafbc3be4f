"""Sources of corpora, one module each."""
