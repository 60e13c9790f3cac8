"""Asks a server by ovmsclient: python ask.py TARGET."""

import json
import sys

import numpy as np
from ovmsclient import make_grpc_client

# Without a version this client asks for version 0, which TensorFlow Serving takes at its word.
client = make_grpc_client(sys.argv[1])
inputs = {"x0": np.array([1, 2], np.float32), "x1": np.array([0.5, -1], np.float32)}
values = client.predict(inputs, "demo", model_version=7, timeout=20)
try:
    client.predict(inputs, "missing", model_version=7, timeout=20)
    refused = ""
except Exception as error:
    refused = type(error).__name__
found = {
    "values": np.asarray(values).tolist(),
    "refused": refused,
    "states": {str(number): status["state"] for number, status in client.get_model_status("demo", 7).items()},
    "inputs": {name: facts["dtype"] for name, facts in client.get_model_metadata("demo", 7)["inputs"].items()},
}
sys.stdout.write(json.dumps(found))
