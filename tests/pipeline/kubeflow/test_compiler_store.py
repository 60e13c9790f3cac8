"""Runs a compiled pipeline whose root is in an object store; `make scale` installs what that needs."""

import os
import subprocess
import sys

import pytest

from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.runner import run_pipeline
from support import REPOSITORY
from support.s3_server import needs_s3, s3_server

pytest.importorskip("kfp", reason="the extra kfp is not installed: `make scale` runs this")

SETTINGS = ("models=['cross_layer']", "example_gen.num_examples=2000", "trainer.epochs=20", "trainer.batch_size=100")
SETTINGS += ("evaluator.max_rmse=0.1",)
# A container begins without what another one keeps; Python calls this as it starts.
EACH_ALONE = """
import os, tempfile
if "XDG_CACHE_HOME" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(dir=os.environ["CONTAINERS"])
"""
LOCALLY = """
import os, sys
os.environ.pop("XDG_CACHE_HOME")
from kfp import local
from crossnet.pipeline.config import load_config
from crossnet.pipeline.kubeflow.compiler import Deployment, make_pipeline
root, folder, *settings = sys.argv[1:]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=folder)
make_pipeline(load_config(None, settings), Deployment(image="unused", root=root))()
"""


@pytest.mark.slow
@needs_s3
def test_a_compiled_pipeline_pushes_into_a_store_what_a_run_pushes_into_a_folder(tmp_path):
    config = load_config(None, SETTINGS)
    assert run_pipeline(config, tmp_path / "run").exit_code == 0
    site, containers = tmp_path / "site", tmp_path / "containers"
    site.mkdir()
    containers.mkdir()
    (site / "sitecustomize.py").write_text(EACH_ALONE)
    with s3_server() as server:
        bucket = server.bucket()
        environment = {**os.environ, "PYTHONPATH": f"{site}:{REPOSITORY}", "CONTAINERS": str(containers)}
        environment.pop("XDG_CACHE_HOME", None)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", LOCALLY, bucket.uri("rides"), str(tmp_path / "kfp"), *SETTINGS],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        files = bucket.files("rides")
        steps = [step.name for step in build_graph(config)]
        for step in steps:
            (ours,) = (tmp_path / "run" / "artifacts" / step).iterdir()
            made = [file for file in files if file.startswith(f"rides/artifacts/{step}/")]
            (theirs,) = {file.split("/")[3] for file in made if file.endswith("/artifact.json")}
            if step != "pusher":  # its fingerprint has the folder that it pushes into
                assert theirs == ours.name
        (pushed,) = [file for file in files if file.startswith("rides/serving_models/") and "saved_model.pb" in file]
        (champion,) = tmp_path.glob("run/artifacts/trainer_cross_layer/*/Format-Serving/saved_model.pb")
        with bucket.system.open_input_stream(f"{bucket.name}/{pushed}") as stream:
            assert stream.read() == champion.read_bytes()
    # The plan and every step worked in a copy of its own.
    assert len(list(containers.glob("*/crossnet/roots/*"))) == len(steps) + 1
