"""Statistics of models that merging needs besides their weights, one module each."""
