"""Pages to read: captions, the explorer, the report, model cards."""
