"""Reads rows from files or a formula, and assigns them to splits."""
