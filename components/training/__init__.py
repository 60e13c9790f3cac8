"""Fits a network's weights to the train rows."""
