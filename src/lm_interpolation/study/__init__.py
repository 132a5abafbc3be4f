"""The plan of a study: its configuration, and what each job reads and is set by."""
