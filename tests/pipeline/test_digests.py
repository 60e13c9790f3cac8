import json
import os

import pytest

from crossnet.components.files import read_json
from crossnet.pipeline import changes, digests
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline.changes import look
from crossnet.pipeline.config import load_config
from crossnet.pipeline.digests import DIGESTS_FILE, keep_digests, known_digests
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store

ROWS = "x,y\n" + "1,2\n3,4\n" * 50


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were digested; every file counts as large, and as old."""
    names, digest = [], fp.content_digest
    monkeypatch.setattr(fp, "content_digest", lambda path: names.append(path.name) or digest(path))
    monkeypatch.setattr(digests, "LEAST_BYTES", 1)
    monkeypatch.setattr(changes, "_SETTLED_NS", -(1 << 62))
    return names


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(ROWS)
    return folder


@pytest.fixture
def config(rows):
    return load_config(None, ["example_gen.source=csv", f"example_gen.input={rows / '*.csv'}", "example_gen.label=y"])


def plan(config, root):
    return make_plan(config, Store(root), until="example_gen")["example_gen"]


def test_a_run_notes_what_it_digests_and_the_next_plan_reads_no_file(config, tmp_path, read):
    root = tmp_path / "root"
    fingerprint = plan(config, root).fingerprint
    assert not root.exists()  # a plan writes nothing
    assert run_pipeline(config, root, until="example_gen").exit_code == 0
    read.clear()
    assert plan(config, root).fingerprint == fingerprint
    assert read == []


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text(ROWS.replace("1", "7")),
        lambda path: os.utime(path),
        lambda path: (path.rename(path.with_name("old")), path.write_text(ROWS)),
    ],
    ids=["written", "touched", "replaced"],
)
def test_a_file_that_was_changed_is_read_again(config, rows, tmp_path, read, change):
    keep_digests(tmp_path, plan(config, tmp_path).files)
    read.clear()
    change(rows / "b.csv")
    found = plan(config, tmp_path)
    assert read == ["b.csv"]
    assert found.files[rows / "b.csv"].digest == fp.content_digest(rows / "b.csv")


def test_a_file_that_was_written_again_with_its_time_restored_is_read_again(config, rows, tmp_path, read):
    keep_digests(tmp_path, plan(config, tmp_path).files)
    read.clear()
    facts = (rows / "a.csv").stat()
    (rows / "a.csv").write_text(ROWS.replace("1", "7"))
    os.utime(rows / "a.csv", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    plan(config, tmp_path)
    assert read == ["a.csv"]


def test_small_files_and_those_that_were_just_written_are_not_noted(rows, tmp_path, read, monkeypatch):
    monkeypatch.setattr(changes, "_SETTLED_NS", 1 << 62)
    keep_digests(tmp_path, {rows / "a.csv": look(rows / "a.csv")})
    monkeypatch.setattr(changes, "_SETTLED_NS", -(1 << 62))
    monkeypatch.setattr(digests, "LEAST_BYTES", len(ROWS) + 1)
    keep_digests(tmp_path, {rows / "a.csv": look(rows / "a.csv")})
    assert not (tmp_path / DIGESTS_FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}', '{"files": {"a": [1]}}', "edited"])
def test_a_note_that_is_damaged_or_edited_is_not_used(rows, tmp_path, read, text):
    keep_digests(tmp_path, {path: look(path) for path in rows.iterdir()})
    assert len(known_digests(tmp_path)) == 2
    if text == "edited":
        facts = read_json(tmp_path / DIGESTS_FILE)
        next(iter(facts["files"].values()))[0] = "0" * 64
        text = json.dumps(facts)
    (tmp_path / DIGESTS_FILE).write_text(text)
    assert known_digests(tmp_path) == {}


def test_files_that_are_gone_are_forgotten(rows, tmp_path, read):
    keep_digests(tmp_path, {path: look(path) for path in rows.iterdir()})
    (rows / "a.csv").unlink()
    (rows / "c.csv").write_text(ROWS)
    keep_digests(tmp_path, {rows / "c.csv": look(rows / "c.csv")})
    assert {path.name for path in known_digests(tmp_path)} == {"b.csv", "c.csv"}


def test_a_file_that_may_not_be_read_is_told_also_where_its_digest_is_known(rows, tmp_path, read, monkeypatch):
    path = rows / "a.csv"
    seen = look(path)

    def refused(*arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", refused)
    with pytest.raises(PermissionError):
        look(path, seen)
