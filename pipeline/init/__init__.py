"""Looks at a table and proposes its config."""
