import os
import subprocess
import sys
from pathlib import Path

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.errors import MissingArtifactError, PipelineError, SettingsError, UnreadableFileError
from crossnet.components.files import read_json, write_json
from crossnet.pipeline import notices
from crossnet.pipeline.store import Store
from support.damage import DAMAGES


def make(store, step="example_gen", fingerprint="f1", **parts):
    with store.working_folder(step) as folder:
        (folder / "Split-train").mkdir()
        return store.finish(Examples(folder, {"train": 1}, {"label": "y"}), step, fingerprint, {"inputs": {}, **parts})


def test_store_artifact_has_its_final_name_only_when_it_is_whole(tmp_path):
    store = Store(tmp_path)
    with store.working_folder("example_gen") as folder:
        assert folder.name.startswith(".tmp-")
        assert not store.is_finished("example_gen", "f1")
        path = store.finish(Examples(folder), "example_gen", "f1", {})
    assert path == tmp_path / "artifacts" / "example_gen" / "f1"
    assert store.is_finished("example_gen", "f1")
    assert [p.name for p in path.parent.iterdir()] == ["f1"]


def test_store_leaves_nothing_when_a_step_fails(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.working_folder("example_gen") as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert list((tmp_path / "artifacts" / "example_gen").iterdir()) == []


def test_store_clears_what_a_crash_left_behind(tmp_path):
    leftover = tmp_path / "artifacts" / "trainer_dense" / ".tmp-crashed"
    leftover.mkdir(parents=True)
    checkpoint = tmp_path / "checkpoints" / "f1"
    checkpoint.mkdir(parents=True)
    with Store(tmp_path).locked():
        assert not leftover.exists()
        assert checkpoint.exists()


def test_store_clears_what_was_being_written_when_a_run_was_killed(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    names = (
        f"runs/.tmp-{ended.pid}-index.html",
        f"runs/a/.tmp-{ended.pid}-run.json",
        "checkpoints/f/.tmp-checkpoint.npz",
    )
    live, kept = tmp_path / "runs" / "a" / f".tmp-{os.getpid()}-report.html", tmp_path / "checkpoints/f/checkpoint.npz"
    for path in (*(tmp_path / name for name in names), live, kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with Store(tmp_path).locked():
        assert {path for path in tmp_path.glob("*/**/*") if path.is_file()} == {live, kept}


def test_store_keeps_a_second_run_out(tmp_path):
    with Store(tmp_path).locked():
        code = (
            "import sys; from pathlib import Path; from crossnet.pipeline.store import Store\n"
            "with Store(Path(sys.argv[1])).locked(): pass"
        )
        other = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert "Another run (process " in other.stderr
    with Store(tmp_path).locked():
        pass


def test_store_tells_a_root_that_cannot_be_written():
    error = pytest.raises(PipelineError, match="Cannot write in `/proc/x`: .* Name another folder with --root")
    with error, Store(Path("/proc/x")).locked():
        pass


def test_artifact_says_what_it_is(tmp_path):
    store = Store(tmp_path)
    path = make(store, params={"seed": 1})
    facts = read_json(path / "artifact.json")
    assert facts["type"] == "Examples"
    assert facts["producer"] == "example_gen"
    assert facts["params"] == {"seed": 1}
    loaded = Examples.load(path)
    assert (loaded.counts, loaded.label, loaded.fingerprint) == ({"train": 1}, "y", "f1")
    with pytest.raises(MissingArtifactError, match="holds Examples .* expected Model"):
        Model.load(path)
    with pytest.raises(MissingArtifactError, match=r"No finished Model in .*Make it again with `crossnet run`"):
        Model.load(tmp_path)
    with pytest.raises(MissingArtifactError, match=r"No split `test` in .*\. There are: train\."):
        loaded.shards("test")


def test_store_new_run_refuses_a_name_that_is_taken_or_no_name(tmp_path):
    store = Store(tmp_path)
    assert store.new_run("nightly").name == "nightly"
    with pytest.raises(SettingsError, match="There is a run `nightly` already"):
        store.new_run("nightly")
    assert store.new_run("Lauf über Nacht").name == "Lauf über Nacht"
    for name in ("../x", "", ".hidden", "a/b", "ü" * 101, "nul\0", "line\nbreak", "\udcff"):
        with pytest.raises(SettingsError, match="must be a plain folder name: no `/`, .* at most 200 bytes of"):
            store.new_run(name)
    assert len({store.new_run(None) for _ in range(3)}) == 3


def test_store_read_run_names_what_there_is(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(MissingArtifactError, match="There is none yet: call `crossnet run`"):
        store.read_run()
    for name, started in (("a", "2026-01-02"), ("b", "2026-01-01")):
        write_json(store.new_run(name) / "run.json", {"run": name, "started": started})
    assert store.run_names() == ["a", "b"]
    assert store.read_run().run == "a"
    with pytest.raises(MissingArtifactError, match=r"No run `c` in .*There are: a, b\."):
        store.read_run("c")


def test_store_orders_runs_by_number_whatever_the_clock_said(tmp_path):
    store = Store(tmp_path)
    assert store.next_run_number() == 1
    runs = [
        ("old", 0, "2031-01-01"),
        ("older", 0, "2030-01-01"),
        ("first", 1, "2026-01-02"),
        ("second", 2, "2020-01-01"),
    ]
    for name, number, started in runs:
        facts = {"run": name, "started": started} | ({"number": number} if number else {})  # older versions kept none
        write_json(store.new_run(name) / "run.json", facts)
    assert store.run_names() == ["second", "first", "old", "older"]
    assert store.next_run_number() == 3


def test_store_takes_the_artifact_of_the_later_run_for_the_younger(tmp_path, monkeypatch):
    store = Store(tmp_path)
    for number, (fingerprint, now) in enumerate([("a", "2031-01-01"), ("b", "2020-01-01")], start=1):
        monkeypatch.setattr("crossnet.pipeline.store.utc_now", lambda now=now: now)
        make(store, fingerprint=fingerprint, run_number=number)
    assert store.newest_facts("example_gen")["fingerprint"] == "b"


@pytest.fixture
def two_runs(tmp_path):
    notices.forget()
    store = Store(tmp_path)
    for name, started in (("good", "2026-01-01"), ("bad", "2026-01-02")):
        write_json(store.new_run(name) / "run.json", {"run": name, "started": started})
    return store


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_store_skips_a_run_that_cannot_be_read_and_says_so_once(two_runs, damage, capsys):
    damage.apply(two_runs.runs / "bad" / "run.json")
    assert two_runs.run_names() == ["good"]
    assert two_runs.read_run().run == "good"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert f"Skipped a run: `{two_runs.runs / 'bad' / 'run.json'}` cannot be read: {damage.reason}" in said[0]
    with pytest.raises(UnreadableFileError, match="if you do not need that run"):
        two_runs.read_run("bad")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_store_skips_a_run_that_it_may_not_read(two_runs, capsys):
    (two_runs.runs / "bad").chmod(0)
    assert two_runs.run_names() == ["good"]
    assert "cannot be read: Permission denied" in capsys.readouterr().err
    (two_runs.runs / "bad").chmod(0o700)


def test_store_names_a_run_after_its_folder(two_runs):
    (two_runs.runs / "good").rename(two_runs.runs / "moved")
    assert two_runs.read_run("moved").run == "moved"


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_store_counts_an_artifact_that_cannot_be_read_as_not_finished(tmp_path, damage, capsys):
    notices.forget()
    store = Store(tmp_path)
    damage.apply(make(store) / "artifact.json")
    assert not store.is_finished("example_gen", "f1")
    assert store.newest_facts("example_gen") is None
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert Examples.load(make(store)).label == "y", "it is made again in its place"
