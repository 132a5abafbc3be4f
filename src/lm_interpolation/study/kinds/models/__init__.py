"""Models, and where their weights come from, one module each."""
