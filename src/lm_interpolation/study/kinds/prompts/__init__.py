"""Sources of prompts, one module each."""
