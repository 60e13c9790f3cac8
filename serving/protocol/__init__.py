"""Reads and writes TensorFlow Serving's messages, tensors and wire formats."""
