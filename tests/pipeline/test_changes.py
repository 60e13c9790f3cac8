import gzip
import os
import time

import pytest

from crossnet.components.errors import ChangedError, DataError
from crossnet.pipeline import changes, source_code
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline.changes import find_changes, look, noticed
from crossnet.pipeline.config import load_config
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.store import Store

OLD = "x,y\n1,2\n3,4\n"


@pytest.fixture
def rows(tmp_path):
    """A folder with a.csv and b.csv, both of long ago."""
    folder = tmp_path / "rows"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(OLD)
    return folder


@pytest.fixture
def plan(rows, tmp_path):
    schema = tmp_path / "schema.pbtxt"
    schema.write_text("# reviewed\n")
    settings = [
        "example_gen.source=csv",
        f"example_gen.input={rows / '*.csv'}",
        f"schema_gen.schema_file={schema}",
        f"trainer.warm_start={tmp_path / 'exported'}",
        'models=["dense"]',
    ]
    (tmp_path / "exported" / "variables").mkdir(parents=True)
    (tmp_path / "exported" / "saved_model.pb").write_text("graph")
    (tmp_path / "exported" / "variables" / "data").write_text("weights")
    return make_plan(load_config(None, settings), Store(tmp_path / "root"))


def edit(path, text):
    path.write_text(text)


def edit_and_restore_the_time(path):
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_text(OLD.replace("4", "5"))
    os.utime(path, ns=times)


def append(path, text):
    with path.open("a") as stream:
        stream.write(text)


def replace(path, text):
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def change_and_change_back(path):
    path.write_text("x,y\n")
    path.write_text(OLD)


CHANGES = {
    "edited": (lambda rows: edit(rows / "a.csv", "x,y\n9,9\n"), "`{rows}/a.csv` was changed"),
    "edited, its time restored": (
        lambda rows: edit_and_restore_the_time(rows / "a.csv"),
        "`{rows}/a.csv` was changed",
    ),
    "replaced": (lambda rows: replace(rows / "b.csv", OLD.replace("1", "7")), "`{rows}/b.csv` was changed"),
    "appended to": (lambda rows: append(rows / "b.csv", "5,6\n"), "`{rows}/b.csv` was changed"),
    "cut short and written again": (
        lambda rows: change_and_change_back(rows / "a.csv"),
        "`{rows}/a.csv` was changed",
    ),
    "removed": (lambda rows: (rows / "a.csv").unlink(), "`{rows}/a.csv` was removed"),
    "all removed": (
        lambda rows: [path.unlink() for path in rows.iterdir()],
        "`{rows}/a.csv` was removed; `{rows}/b.csv` was removed",
    ),
    "renamed": (
        lambda rows: (rows / "a.csv").rename(rows / "c.csv"),
        "`{rows}/a.csv` was removed; `{rows}/c.csv` came to the files that `example_gen` reads",
    ),
    "added": (
        lambda rows: edit(rows / "0.csv", OLD),
        "`{rows}/0.csv` came to the files that `example_gen` reads",
    ),
    "a folder in its place": (
        lambda rows: ((rows / "a.csv").unlink(), (rows / "a.csv").mkdir()),
        "`{rows}/a.csv`",
    ),
}


@pytest.mark.parametrize("is_settled", [True, False], ids=["an old file", "a file just written"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_a_step_works_is_named(rows, plan, change, is_settled):
    planned = plan["example_gen"]
    for path, seen in planned.files.items():
        assert not seen.is_settled  # they were written a moment ago
        planned.files[path] = seen._replace(is_settled=is_settled)
    act, words = CHANGES[change]
    with pytest.raises(ChangedError) as caught, noticed(planned):
        time.sleep(0.01)  # more than a tick of the kernel's clock
        act(rows)
    assert str(caught.value).startswith(f"While the run worked, {words.format(rows=rows)}")
    assert str(caught.value).endswith("Let the change come to its end, then call `crossnet run` again.")
    assert caught.value.exit_code == 1


def test_a_file_that_changed_within_one_tick_of_the_clock_is_digested_again(rows, plan):
    planned = plan["example_gen"]
    (rows / "a.csv").write_text(OLD.replace("4", "5"))  # the same size
    place, state = changes._stat(rows / "a.csv")
    planned.files[rows / "a.csv"] = planned.files[rows / "a.csv"]._replace(place=place, state=state)
    assert [*find_changes(planned)] == [f"`{rows}/a.csv` was changed"]


def test_an_old_file_is_not_read_again_and_a_new_one_is(rows, plan, monkeypatch):
    planned = plan["example_gen"]
    read = []
    monkeypatch.setattr(fp, "content_digest", lambda path: read.append(path.name) or planned.files[path].digest)
    assert [*find_changes(planned)] == []
    assert read == ["a.csv", "b.csv"]
    planned.files[rows / "a.csv"] = planned.files[rows / "a.csv"]._replace(is_settled=True)
    assert [*find_changes(planned)] == []
    assert read == ["a.csv", "b.csv", "b.csv"]
    # An inode alone that differs is settled by the digest.
    planned.files[rows / "a.csv"] = planned.files[rows / "a.csv"]._replace(place=(0, 0))
    assert [*find_changes(planned)] == []
    assert read[3:] == ["a.csv", "b.csv"]


def test_a_file_is_settled_two_seconds_after_it_was_written(rows, monkeypatch):
    written = (rows / "a.csv").stat().st_ctime_ns
    for later, is_settled in ((-10, False), (1.9, False), (2.1, True)):
        monkeypatch.setattr("crossnet.pipeline.changes.time.time_ns", lambda: written + int(later * 1e9))  # noqa: B023
        assert look(rows / "a.csv").is_settled is is_settled


def test_what_only_reads_changes_nothing(rows, plan):
    with noticed(plan["example_gen"]):
        assert (rows / "a.csv").read_text() == OLD
        (rows / "notes.txt").write_text("not a row")
    with noticed(plan["evaluator"]):  # reads no outside file
        (rows / "a.csv").write_text("x,y\n")


def test_a_change_before_the_step_begins_stops_it_before_it_works(rows, plan):
    (rows / "a.csv").write_text("x,y\n")
    with pytest.raises(ChangedError), noticed(plan["example_gen"]):
        raise AssertionError("the step has begun")


def test_a_step_that_fails_at_a_file_half_written_names_the_change(rows, plan):
    with pytest.raises(ChangedError, match="a.csv` was changed") as caught, noticed(plan["example_gen"]):
        (rows / "a.csv").write_text("x,y\n1")
        raise DataError("a.csv:2: 1 cell, expected 2.")
    assert isinstance(caught.value.__cause__, DataError)
    with pytest.raises(DataError, match="1 cell"), noticed(plan["statistics_gen"]):
        raise DataError("a.csv:2: 1 cell, expected 2.")  # nothing has changed: the error is the step's own


def test_a_schema_file_and_a_warm_start_are_looked_at_again(plan, tmp_path):
    with pytest.raises(ChangedError, match=r"schema.pbtxt` was changed"), noticed(plan["schema_gen"]):
        (tmp_path / "schema.pbtxt").write_text("# reviewed again\n")
    with pytest.raises(ChangedError, match=r"/exported` was changed or removed"), noticed(plan["trainer_dense"]):
        (tmp_path / "exported" / "variables" / "data").write_text("others")


def test_the_model_in_service_is_looked_at_again(tmp_path):
    version = tmp_path / "root" / "serving_models" / "crossnet" / "5"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("graph")
    planned = make_plan(load_config(), Store(tmp_path / "root"))["evaluator"]
    with noticed(planned):
        (version.parent / "6").mkdir()  # another version: not the one that this plan reads
    with pytest.raises(ChangedError, match=r"crossnet/5` was changed or removed"), noticed(planned):
        version.rename(version.with_suffix(".rolled_back"))


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A project of the step's module alone, whose code may be changed."""
    for name in ("__init__", "example_gen"):
        file = tmp_path / "crossnet" / "components" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def generate_examples(): return 1\n")
    monkeypatch.setattr(source_code, "PROJECT", tmp_path)
    monkeypatch.setattr(source_code, "_CACHE", source_code._Cache(tmp_path / "cache" / "sources.json"))
    source_code.forget()
    yield file
    source_code.forget()


def test_code_that_changes_while_a_step_works_is_named_and_a_comment_is_not(sources, tmp_path):
    planned = make_plan(load_config(), Store(tmp_path / "root"), until="example_gen")["example_gen"]
    with noticed(planned):
        sources.write_text("def generate_examples(): return 1  # why\n")
    words = r"the code of `crossnet.components.example_gen` was changed"
    with pytest.raises(ChangedError, match=words), noticed(planned):
        sources.write_text("def generate_examples(): return 2\n")
    for write in (lambda: sources.write_text("def generate_examples(: \n"), sources.unlink):
        write()
        assert [*find_changes(planned)] == ["the code of `crossnet.components.example_gen` was changed"]


def test_a_library_that_is_upgraded_while_a_step_works_is_named(plan, tmp_path, monkeypatch):
    folder = tmp_path / "site" / "numpy-99.0.dist-info"
    with pytest.raises(ChangedError, match=r"numpy [0-9.]+ became 99\.0"), noticed(plan["statistics_gen"]):
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n")
        monkeypatch.syspath_prepend(tmp_path / "site")


def test_many_changes_are_counted(plan, rows):
    for number in range(5):
        (rows / f"{number}.csv").write_bytes(gzip.compress(b""))
    words = r"2\.csv` came to the files that `example_gen` reads and 2 more\. So what"
    with pytest.raises(ChangedError, match=words), noticed(plan["example_gen"]):
        pass
