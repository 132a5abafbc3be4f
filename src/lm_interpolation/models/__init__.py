"""Tokenizers and models: imported, trained, loaded and saved."""
