"""Judges an exported model."""
