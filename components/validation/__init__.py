"""Finds what is wrong with columns and rows."""
