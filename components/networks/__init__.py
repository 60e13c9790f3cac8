"""Builds the layers, models, preprocessing and exports."""
