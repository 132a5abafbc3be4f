"""Tables: one tidy CSV each."""
