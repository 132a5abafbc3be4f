"""Configurations of mergekit, read and said in the words of a study."""
