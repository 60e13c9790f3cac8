"""Asks the embedded server by clients of other people, which `make clients` installs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support import REPOSITORY
from support.serving_models import save_model

CLIENTS = REPOSITORY / "tests" / "clients"
PYTHON = Path(os.environ.get("CLIENTS_PYTHON", REPOSITORY / ".venv-clients" / "bin" / "python"))
ANSWERS = [2.5, 3.0]  # 2 x0 + x1

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """The address of a server with the model `demo`, version 7."""
    from crossnet.serving.config.flags import ServerFlags
    from crossnet.serving.server import Server

    folder = tmp_path_factory.mktemp("models") / "demo"
    save_model(folder / "7", scale=2.0)
    with Server(ServerFlags(port=0, model_name="demo", model_base_path=str(folder))) as server:
        yield f"127.0.0.1:{server.port}"


def ask(*command):
    # A client must not find the project, nor take a proxy for this machine.
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LD_LIBRARY_PATH")}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, env=kept)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not PYTHON.exists(), reason="ovmsclient is not installed: make clients")
def test_ovmsclient_gets_right_answers(target):
    assert ask(PYTHON, CLIENTS / "ask.py", target) == {
        "values": ANSWERS,
        "refused": "ModelNotFoundError",
        "states": {"7": "AVAILABLE"},
        "inputs": {"x0": "DT_FLOAT", "x1": "DT_FLOAT"},
    }


@pytest.mark.skipif(
    not (CLIENTS / "node_modules").is_dir() or shutil.which("node") is None,
    reason="@grpc/grpc-js is not installed: make clients, where npm and its registry are",
)
def test_grpc_js_with_the_official_protos_gets_right_answers(target, tmp_path):
    descriptors = tmp_path / "official.pb"
    descriptors.write_bytes(official_descriptors())
    assert ask("node", CLIENTS / "ask.js", target, descriptors) == {"values": ANSWERS, "version": "7", "code": 5}


def official_descriptors():
    """Returns prediction_service.proto and all that it imports, as tensorflow-serving-api has them."""
    from google.protobuf import descriptor_pb2
    from tensorflow_serving.apis import prediction_service_pb2

    found = descriptor_pb2.FileDescriptorSet()
    seen = set()

    def add(file):
        if file.name not in seen:
            seen.add(file.name)
            for imported in file.dependencies:
                add(imported)
            file.CopyToProto(found.file.add())

    add(prediction_service_pb2.DESCRIPTOR)
    return found.SerializeToString()
