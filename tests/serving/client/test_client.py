"""The package of the client names its surface lazily, and imports little."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import crossnet.serving.client
from crossnet.serving.client import aio, answers, connection, sync
from crossnet.serving.protocol import request_log, signature
from support import REPOSITORY

# Modules that grpc, protobuf and numpy bring, and those of Python's own start.
# grpc itself imports grpc_reflection, an empty package, where it is installed.
ALLOWED = {"crossnet", "google", "grpc", "grpc_reflection", "numpy", "typing_extensions", "cython_runtime"}


def loaded_after(statement: str) -> set[str]:
    """Names of the modules that a statement loads in a new process."""
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    return set(done.stdout.split())


def test_names_are_those_of_the_modules_that_define_them():
    assert {name: getattr(crossnet.serving.client, name) for name in crossnet.serving.client.__all__} == {
        "AsyncPredictionClient": aio.AsyncPredictionClient,
        "ModelMetadata": signature.ModelMetadata,
        "Prediction": answers.Prediction,
        "PredictionClient": sync.PredictionClient,
        "RequestLog": request_log.RequestLog,
        "Signature": signature.Signature,
        "TensorSpec": signature.TensorSpec,
        "Timings": answers.Timings,
        "Tls": connection.Tls,
        "VersionStatus": answers.VersionStatus,
    }
    assert set(crossnet.serving.client.__all__) <= set(dir(crossnet.serving.client))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="PredictionClients"):
        importlib.import_module("crossnet.serving.client").PredictionClients  # noqa: B018


def test_package_alone_loads_no_part_of_the_client():
    loaded = loaded_after("import crossnet.serving.client")
    assert {
        name for name in loaded if name.startswith(("grpc", "google", "numpy", "crossnet.serving.client."))
    } == set()


@pytest.mark.parametrize("client", ["PredictionClient", "AsyncPredictionClient"])
def test_client_loads_grpc_protobuf_and_numpy_alone(client):
    loaded = loaded_after(f"from crossnet.serving.client import {client}\n{client}")
    others = {name.partition(".")[0] for name in loaded} - ALLOWED - sys.stdlib_module_names
    assert {name for name in others if not name.startswith("_")} == set()
    rooms = ("crossnet.components", "crossnet.pipeline", "crossnet.serving.embedded", "crossnet.serving.config")
    assert {name for name in loaded if name.startswith(rooms)} == set()
