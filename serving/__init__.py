"""The contract of TensorFlow Serving: client, embedded server, launcher. Knows nothing about training."""
