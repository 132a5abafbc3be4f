"""The plan of a study: its configuration, and the inputs and settings of each job."""
