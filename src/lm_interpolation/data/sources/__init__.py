"""What corpora are read from: one module for each source."""
