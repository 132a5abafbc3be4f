"""The corpora of the embedded study: short English reviews from a seeded grammar."""
