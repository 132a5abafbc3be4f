"""Tests of claims, one module each."""
