"""Compares what a run makes in two environments; `make scale` runs it in Beam's, and names the usual one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from crossnet.pipeline.fingerprint import SAME_BYTES, counted_versions
from support import REPOSITORY
from support.validation_walk import digests, write_rows

SCRIPT = """
import sys
from pathlib import Path
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline

rows, root = sys.argv[1:]
for source, until in (("csv", "evaluator"), ("parquet", "example_validator"), ("jsonl", "example_validator")):
    settings = [f"example_gen.source={source}", f"example_gen.input={rows}/*.{source}", "example_gen.label=y"]
    settings += ["example_gen.split=hash", "example_gen.num_shards=2", "num_workers=1"]
    settings += ["models=['cross_layer']", "trainer.epochs=2", "trainer.batch_size=100"]
    result = run_pipeline(load_config(None, settings), Path(root) / source, until=until)
    assert result.exit_code in (0, 3), result.error
"""
VERSIONS = "import importlib.metadata, sys; print(*map(importlib.metadata.version, sys.argv[1:]))"
WITH_TIMES = ("artifact.json", "history.json", "metrics.json")


def other_python():
    python = os.environ.get("OTHER_PYTHON", "")
    return str(REPOSITORY / python) if python else ""


def without_times(value):
    if isinstance(value, dict):
        times = (
            "created_at",
            "seconds",
            "train_seconds",
            "seal",
            "files",
        )  # a seal and the list of files are of all bytes
        return {name: without_times(item) for name, item in value.items() if name not in times}
    return value


def made(root: Path):
    """The digest of each file of the artifacts, by its path, which has the fingerprint; of JSON what is not a time."""
    found = {}
    for source in ("csv", "parquet", "jsonl"):
        folder = root / source / "artifacts"
        for name, digest in digests(folder).items():
            is_timed = Path(name).name in WITH_TIMES
            found[source, name] = without_times(json.loads((folder / name).read_text())) if is_timed else digest
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Beam holds an older NumPy there")
@pytest.mark.skipif(not os.environ.get("OTHER_PYTHON"), reason="`make scale` names another environment in OTHER_PYTHON")
def test_two_environments_make_the_same_artifacts_under_the_same_fingerprints(tmp_path):
    rows = write_rows(tmp_path / "rows")
    for file in rows.glob("*.csv"):
        file.write_text(file.read_text().replace("nan", "1.5").replace("inf", "-2.5"))
        table = pyarrow.csv.read_csv(file)
        pyarrow.parquet.write_table(table, file.with_suffix(".parquet"))
        file.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    found, versions = [], []
    for name, python in (("here", sys.executable), ("there", other_python())):
        env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        subprocess.run([python, "-c", SCRIPT, str(rows), str(tmp_path / name)], env=env, check=True, cwd=tmp_path)
        found.append(made(tmp_path / name))
        command = [python, "-c", VERSIONS, *SAME_BYTES]
        versions.append(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split())
    assert versions[0] != versions[1]  # else nothing was compared
    assert len(found[0]) > 60
    assert {key: found[0][key] for key in found[0] if found[0][key] != found[1].get(key)} == {}
    assert found[0].keys() == found[1].keys()


def test_every_version_that_counts_as_another_is_pinned_for_an_environment_and_compared():
    """A lock that is resolved again needs a new comparison: `make scale`, then `SAME_BYTES` of the fingerprints."""
    pinned = {
        lock: dict(
            line.split(" ;")[0].split("==")
            for line in (REPOSITORY / lock).read_text().splitlines()
            if "==" in line and line[0].isalpha()
        )
        for lock in ("requirements.lock", "requirements-beam.lock", "requirements-kfp.lock", "requirements-spark.lock")
    }
    of = {lock: {name: pins[name] for name in SAME_BYTES} for lock, pins in pinned.items()}
    assert {lock: counted_versions(pins) for lock, pins in of.items()} == dict.fromkeys(of, of["requirements.lock"])
    used = {(name, pins[name]) for pins in of.values() for name in SAME_BYTES}
    assert {(name, old) for name, olds in SAME_BYTES.items() for old in olds} < used


def test_a_version_that_was_not_compared_stays_its_own():
    assert counted_versions({"pyarrow": "24.0.0", "numpy": "25.0.1"}) == {"pyarrow": "24.0.0", "numpy": "25.0.1"}
