"""Everything that a study can declare: one light class per section and kind, each with one line in ``catalog``."""
