"""What a study can declare: one light class per section and per kind, and one line for each in ``catalog``."""
