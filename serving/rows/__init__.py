"""Reads files of rows, and writes them with predictions."""
