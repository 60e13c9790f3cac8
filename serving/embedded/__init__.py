"""Answers requests as tensorflow_model_server does, from this process."""
