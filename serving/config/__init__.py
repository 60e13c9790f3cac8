"""Reads flags, model config files and versions, and writes deployment files."""
