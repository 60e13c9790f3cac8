"""Converts models for other runtimes."""
