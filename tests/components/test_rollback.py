import datetime
import json
import subprocess
import sys

import pytest

from crossnet.components.errors import PipelineError
from crossnet.components.files import folder_checksum, read_json, write_json
from crossnet.components.rollback import RollBack, roll_back
from support import pushes


@pytest.fixture
def folder(tmp_path):
    """A model's folder with the versions 7, 8 and 9 and their records."""
    folder = tmp_path / "serving" / "rides"
    for version in (7, 8, 9):
        put(folder, version)
    return folder


def put(folder, version):
    (folder / str(version)).mkdir(parents=True)
    (folder / str(version) / "saved_model.pb").write_text(str(version))
    checksum = folder_checksum(folder / str(version))
    write_json(folder / f"{version}.json", {"version": version, "checksum": checksum, "pushed_at": "then"})


def state(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def folders(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def now():
    return datetime.datetime.now(datetime.UTC)


def test_roll_back_takes_the_newest_out_and_records_who_when_and_why(folder):
    assert roll_back(folder, "worse on weekends") == RollBack(9, 8)
    assert folders(folder) == ["7", "8", "9.rolled_back"]
    record = read_json(folder / "9.json")
    assert record["pushed_at"] == "then"
    assert record["rolled_back"]["reason"] == "worse on weekends"
    assert record["rolled_back"]["by"]
    assert datetime.datetime.fromisoformat(record["rolled_back"]["at"]) <= now()
    assert not list(folder.glob(".tmp-*"))


def test_roll_back_says_when_nothing_is_in_service(tmp_path):
    with pytest.raises(PipelineError, match="No version is in service"):
        roll_back(tmp_path)


def test_roll_back_asks_before_nothing_is_in_service(folder):
    roll_back(folder)
    roll_back(folder)
    before = state(folder)
    with pytest.raises(PipelineError, match=r"Version 7 is the last one of `rides` in service: .* rollback --yes`"):
        roll_back(folder)
    assert state(folder) == before
    assert roll_back(folder, confirmed=True) == RollBack(7, None)


def test_roll_back_asks_before_a_damaged_version_is_in_service(folder):
    (folder / "8" / "saved_model.pb").write_text("rotten")
    before = state(folder)
    with pytest.raises(PipelineError, match=r"Version 8 of `rides`, which servers would go back to, is damaged"):
        roll_back(folder)
    assert state(folder) == before
    assert roll_back(folder, confirmed=True) == RollBack(9, 8)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'["ab"]', b"\xff", b"[" * 5000])
def test_roll_back_works_with_a_record_that_cannot_be_read(folder, content):
    (folder / "9.json").write_bytes(content)
    (folder / "8.json").unlink()
    done = roll_back(folder, "because")
    assert (done.removed, done.restored) == (9, 8)
    (note,) = done.notes
    assert "9.json` cannot be read: it " in note
    assert note.endswith(". Version 9 counts as put there by hand.")
    assert read_json(folder / "9.json")["rolled_back"]["reason"] == "because"


def test_roll_back_refuses_a_version_that_was_taken_out_before(folder):
    (folder / "9.rolled_back").mkdir()
    before = state(folder)
    with pytest.raises(PipelineError, match=r"Version 9 was taken out of service before, as `.*9\.rolled_back`"):
        roll_back(folder)
    assert state(folder) == before


def test_roll_back_says_that_the_folder_cannot_be_written(folder):
    (folder / ".lock").mkdir()
    with pytest.raises(PipelineError, match=r"Cannot roll back in `.*rides`: Is a directory\. Nothing was changed\."):
        roll_back(folder)
    assert folders(folder) == [".lock", "7", "8", "9"]


def test_roll_back_takes_a_version_out_also_where_a_full_disk_refuses_its_record(folder):
    before = read_json(folder / "9.json")
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from crossnet.components.rollback import roll_back\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"  # the system itself refuses longer files
        "print(*roll_back(Path(sys.argv[1])).notes)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=pushes.environment(), capture_output=True, text=True, check=False)
    assert done.stdout == "Who took it out and why could not be recorded: File too large.\n", done.stderr
    assert folders(folder) == ["7", "8", "9.rolled_back"]
    assert read_json(folder / "9.json") == before
    assert not list(folder.glob(".tmp-*"))


def test_roll_back_leaves_a_version_alone_that_another_rollback_has_uncovered(folder):
    started = now()
    assert roll_back(folder, started=started).removed == 9
    before = state(folder)
    with pytest.raises(
        PipelineError, match=r"Another rollback \(by .*\) has just taken version 9 out .*: version 8 is in"
    ):
        roll_back(folder, started=started)
    assert state(folder) == before
    assert roll_back(folder, started=now()).removed == 8


def test_roll_back_that_comes_too_late_for_the_last_version_says_so(folder):
    started = now()
    for _ in range(3):
        roll_back(folder, confirmed=True)
    with pytest.raises(PipelineError, match=r"has just taken version 9 out .*: no version is in service now\."):
        roll_back(folder, started=started)


@pytest.mark.parametrize("at", ["2999-01-01T00:00:00+00:00", "2020-01-01T00:00:00", "yesterday", 7, None])
def test_roll_back_trusts_no_time_that_cannot_be(folder, at):
    roll_back(folder)
    record = read_json(folder / "9.json")
    write_json(folder / "9.json", {**record, "rolled_back": {**record["rolled_back"], "at": at}})
    assert roll_back(folder).removed == 8


def test_roll_back_leaves_a_version_alone_that_was_pushed_while_it_waited(folder, monkeypatch):
    from crossnet.components import rollback

    locked = rollback.locked

    def late(path):
        put(path, 10)
        return locked(path)

    monkeypatch.setattr(rollback, "locked", late)
    with pytest.raises(PipelineError, match=r"Version 9 was to be taken out .* changed meanwhile: version 10 is in"):
        roll_back(folder)
    assert folders(folder) == ["10", "7", "8", "9"]


def test_two_rollbacks_that_start_at_once_take_one_version_out(folder):
    command = [sys.executable, "-m", "crossnet", "rollback", "--model=rides", f"--serving-dir={folder.parent}"]
    for round_number in range(2):
        pair = [subprocess.Popen(command, env=pushes.environment(), stdout=-1, stderr=-1, text=True) for _ in range(2)]
        said = [process.communicate(timeout=60) for process in pair]
        assert sorted(process.returncode for process in pair) == [0, 1]
        (error,) = [error for _, error in said if error]
        assert "Another rollback (by " in error
        assert len([name for name in folders(folder) if name.endswith(".rolled_back")]) == round_number + 1
    assert json.loads((folder / "9.json").read_text())["rolled_back"]
