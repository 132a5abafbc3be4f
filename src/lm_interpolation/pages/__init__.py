"""Pages for readers: captions, the explorer, the report, model cards."""
