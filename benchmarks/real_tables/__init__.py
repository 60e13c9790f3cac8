"""Holds the parts of the benchmark `tables`."""
