"""The client's wheel works alone: without TensorFlow, without the full package, and beside it."""

import base64
import hashlib
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner

from crossnet.components.errors import PipelineError
from crossnet.pipeline.client_wheel import build, client_wheel
from support import REPOSITORY
from support.fake_server import RIDES, FakeServer

ASKS = """
import sys
for name in ("crossnet", "fcntl", "tensorflow", "tensorflow_serving", "pyarrow"):
    sys.modules[name] = None  # not importable
import asyncio
from crossnet_client import AsyncPredictionClient, PredictionClient
from crossnet_client.status import InvalidRequestError

rows = {"miles": [1.5, 2.5], "age": [3, 4], "zone": ["a", "b"]}
with PredictionClient(sys.argv[1]) as client:
    client.wait_ready(30)
    print(client.predict(rows).values.tolist(), client.status()[0].state)
    try:
        client.predict({"miles": [1.5]})
    except InvalidRequestError as error:
        print(error)

async def ask():
    async with AsyncPredictionClient(sys.argv[1]) as client:
        print((await client.predict(rows)).version)

asyncio.run(ask())
"""
BOTH = """
import crossnet_client, crossnet.serving.client as full
ours, theirs = crossnet_client.PredictionClient("a:1"), full.PredictionClient("a:1")
print(type(ours).__module__, type(theirs).__module__, crossnet_client.RequestLog.__module__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel's files in a folder, where an installer puts those of a wheel that is pure Python."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(script, *paths, argument=""):
    added = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n"
    done = subprocess.run([sys.executable, "-c", added + script, argument], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_predicts_where_neither_tensorflow_nor_the_full_package_can_be_imported(installed):
    with FakeServer(RIDES).running() as target:
        asked = run(ASKS, installed, argument=target)
    assert asked[0] == "[3.0, 4.0] AVAILABLE"  # the fake model's answer is the first number by name, `age`
    assert asked[1].endswith("of model `crossnet` version 7. Missing: `age`, `zone`.")
    assert asked[2] == "7"


def test_both_can_be_used_in_one_process(installed):
    assert run(BOTH, installed, REPOSITORY) == [
        "crossnet_client.client.sync crossnet.serving.client.sync crossnet_client.protocol.request_log"
    ]


def test_it_holds_its_own_package_alone_and_needs_three_distributions(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    folder = "crossnet_client-0.1.0.dist-info"
    assert {name.partition("/")[0] for name in files} == {"crossnet_client", folder}
    assert wheel.stat().st_size < 1_000_000
    metadata = files[f"{folder}/METADATA"].decode()
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert [need.split()[1].partition(">")[0] for need in needs] == ["grpcio", "protobuf", "numpy"]
    assert b"crossnet.serving" not in b"".join(files.values())
    record = dict(line.split(",", 1) for line in files.pop(f"{folder}/RECORD").decode().splitlines())
    assert record.pop(f"{folder}/RECORD") == ","
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert record.pop(name) == f"sha256={digest},{len(content)}"
    assert not record


def test_its_bytes_depend_on_the_files_alone(wheel, tmp_path):
    done = CliRunner().invoke(client_wheel, ["--out", str(tmp_path / "new")], catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'new' / wheel.name}\n")
    assert (tmp_path / "new" / wheel.name).read_bytes() == wheel.read_bytes()


def test_a_folder_without_the_project_and_an_output_that_cannot_be_written_are_errors(tmp_path):
    with pytest.raises(
        PipelineError, match=r"pyproject.toml` is not there. The client's wheel is made from a checkout"
    ):
        build(tmp_path / "dist", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match=r"Cannot write `.*whl`: .* Name a folder with room: --out"):
        build(tmp_path / "file")
