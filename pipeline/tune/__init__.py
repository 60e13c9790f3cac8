"""Searches for settings that suit a table."""
