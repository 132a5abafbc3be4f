"""Analyses: computations at points or on weights beyond generating and scoring texts."""
