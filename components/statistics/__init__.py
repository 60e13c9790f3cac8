"""Summarises one column at a time, in parts that can be merged."""
