"""What changes while a run works stops it, and leaves nothing under the wrong fingerprint."""

import json
import os

import pytest

from crossnet.components.artifacts.model import Model
from crossnet.components.records.dataset import read_columns
from crossnet.pipeline import plan as plan_module
from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import Step
from crossnet.pipeline.report import pages
from crossnet.pipeline.runner import run_pipeline
from support import toy_steps


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch):
    for page in ("write_report", "write_index"):
        monkeypatch.setattr(pages, page, lambda *arguments: None)


def table(rows, value):
    return "x,y\n" + "".join(f"{value},{number}\n" for number in range(rows))


def replace(file, text):
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)


def edit_and_restore_the_time(file, text):
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_text(text)
    os.utime(file, ns=times)


@pytest.mark.parametrize("when", ["before it is read", "after its header", "after its rows"])
@pytest.mark.parametrize("write", [replace, edit_and_restore_the_time])
def test_rows_replaced_while_a_run_works_never_end_under_the_old_fingerprint(tmp_path, monkeypatch, write, when):
    """The real ExampleGen reads; between two of its calls another program writes the file."""
    file = tmp_path / "rows.csv"
    file.write_text(table(1000, 1))
    config = load_config(None, ["example_gen.source=csv", f"example_gen.input={file}"])
    before, after = {
        "before it is read": ("input_files", None),
        "after its header": ("_write", None),
        "after its rows": (None, "write_shards"),
    }[when]
    module = "crossnet.components.example_gen"

    def meddle(name, *, first):
        real = getattr(__import__(module, fromlist=[name]), name)

        def call(*arguments, **settings):
            if first:
                write(file, table(1000, 2))
            result = real(*arguments, **settings)
            if not first:
                write(file, table(1000, 2))
            return result

        monkeypatch.setattr(f"{module}.{name}", call)

    meddle(before or after, first=before is not None)
    result = run_pipeline(config, tmp_path / "root", until="example_gen")
    assert result.exit_code == 1
    assert result.error.startswith(f"While the run worked, `{file}` was changed. So what `example_gen` makes may not")
    assert list((tmp_path / "root" / "artifacts" / "example_gen").iterdir()) == []
    monkeypatch.undo()
    _check_reads(config, tmp_path, 2.0)
    file.write_text(table(1000, 1))  # the old rows: nothing of the stopped run is taken for theirs
    _check_reads(config, tmp_path, 1.0)


def _check_reads(config, tmp_path, value):
    done = run_pipeline(config, tmp_path / "root", until="example_gen")
    assert done.exit_code == 0
    batch = next(iter(read_columns(done.artifacts["example_gen"], "train", batch_size=1000)))
    assert set(batch["x"].values.tolist()) == {value}


def test_a_training_whose_code_was_changed_leaves_no_checkpoint_to_resume_from(tmp_path, monkeypatch):
    """Stands for all that a trainer depends on by a file that it reads."""
    file = tmp_path / "rows"
    file.write_text("one")

    def graph(config, *, serving_dir, force):
        function = "support.toy_steps:train"
        return (Step(name="trainer_dense", function=function, output=Model, checkpoints=True, data=lambda: [file]),)

    monkeypatch.setattr(plan_module, "build_graph", graph)
    monkeypatch.setattr(toy_steps, "BESIDE", [lambda: file.write_text("another")])
    root = tmp_path / "root"
    result = run_pipeline(load_config(), root)
    assert (result.exit_code, result.steps["trainer_dense"].status) == (1, "failed")
    assert "rows` was changed" in result.error
    assert [*root.glob("checkpoints/*"), *root.glob("artifacts/trainer_dense/*")] == []
    assert run_pipeline(load_config(), root).exit_code == 0
    (artifact,) = root.glob("artifacts/trainer_dense/*/artifact.json")
    assert json.loads(artifact.read_text())["counts"] == {"read": len("another")}
