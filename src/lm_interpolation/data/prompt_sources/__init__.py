"""What sets of prompts are read from: one module for each source."""
