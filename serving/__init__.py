"""Implements TensorFlow Serving's contract: client, embedded server, launcher."""
