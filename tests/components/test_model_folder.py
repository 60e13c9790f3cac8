import os
import threading

import pytest

from crossnet.components import model_folder
from crossnet.components.errors import PipelineError
from crossnet.components.files import write_json
from crossnet.components.model_folder import (
    FolderBusyError,
    clear_leftovers,
    locked,
    make_folder,
    next_version,
    read_record,
    record_problem,
    record_problems,
    record_version,
    versions_in_service,
    versions_rolled_back,
    write_card,
)


def test_versions_in_service_skips_what_servers_skip(tmp_path):
    for name in ("3", "00000012", "x", "4.rolled_back", ".tmp-5-1", "٣", str(2**63), "9" * 200):
        (tmp_path / name).mkdir()
    (tmp_path / "7").touch()
    assert {number: path.name for number, path in versions_in_service(tmp_path).items()} == {12: "00000012", 3: "3"}
    assert {number: path.name for number, path in versions_rolled_back(tmp_path).items()} == {4: "4.rolled_back"}
    assert versions_in_service(tmp_path / "missing") == {}


def test_next_version_is_above_every_number_that_was_used(tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder.time, "time", lambda: 50.9)
    assert next_version(tmp_path) == 50
    (tmp_path / "60.json").touch()
    assert next_version(tmp_path) == 61
    (tmp_path / "70.rolled_back").mkdir()
    assert next_version(tmp_path) == 71
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(PipelineError, match=rf"No version number is left in `.*`: `{2**63 - 1}` was used there"):
        next_version(tmp_path)


def test_a_clock_that_goes_back_does_not_change_the_order_of_versions(tmp_path, monkeypatch):
    for moment in (1000, 900, 100, 2000):
        monkeypatch.setattr(model_folder.time, "time", lambda moment=moment: moment)
        (tmp_path / str(next_version(tmp_path))).mkdir()
    assert list(versions_in_service(tmp_path)) == [2000, 1002, 1001, 1000]


def test_record_is_never_written_over_another(tmp_path):
    record_version(tmp_path, 7, {"version": 7, "kind": "dense"})
    assert read_record(tmp_path, 7) == {"version": 7, "kind": "dense"}
    with pytest.raises(FileExistsError):
        record_version(tmp_path, 7, {"version": 7, "kind": "cross_layer"})
    assert read_record(tmp_path, 7)["kind"] == "dense"
    assert [path.name for path in tmp_path.iterdir()] == ["7.json"]


def test_a_record_that_cannot_be_read_counts_as_none_and_says_why(tmp_path):
    (tmp_path / "6").mkdir()
    for version, content in ((7, b""), (8, b"[]"), (9, b"{}")):
        (tmp_path / str(version)).mkdir()
        (tmp_path / f"{version}.json").write_bytes(content)
    (tmp_path / "10").mkdir()
    (tmp_path / "10.json").mkdir()
    assert [read_record(tmp_path, version) for version in (6, 7, 8, 9)] == [
        {"version": 6},
        {"version": 7},
        {"version": 8},
        {},
    ]
    assert record_problem(tmp_path, 6) is None
    assert record_problem(tmp_path, 9) is None
    assert record_problem(tmp_path, 10).endswith(
        "cannot be read: it is a folder or a device, not a file. Version 10 counts as put there by hand."
    )
    assert len(record_problems(tmp_path)) == 3


def test_lock_keeps_others_out_and_is_given_back(tmp_path):
    busy = rf"Process {os.getpid()} on \S+ has been at work in `{tmp_path}` for 0 s or more\. Nothing was changed\."
    with locked(tmp_path), pytest.raises(FolderBusyError, match=busy):
        locked(tmp_path, wait_seconds=0).__enter__()
    with locked(tmp_path, wait_seconds=0):
        pass


def test_lock_is_waited_for(tmp_path, monkeypatch):
    first = locked(tmp_path)
    first.__enter__()
    waiting = threading.Event()
    monkeypatch.setattr(model_folder.interrupts, "check", waiting.set)  # called in each turn of the loop
    done = []

    def second():
        with locked(tmp_path):
            done.append(True)

    thread = threading.Thread(target=second)
    thread.start()
    assert waiting.wait(30)
    assert not done
    first.__exit__(None, None, None)
    thread.join(30)
    assert done


def test_lock_holds_where_its_file_was_removed(tmp_path):
    with locked(tmp_path):
        (tmp_path / ".lock").unlink()
        # A new file, and so a new lock.
        with locked(tmp_path, wait_seconds=0), pytest.raises(FolderBusyError):
            locked(tmp_path, wait_seconds=0).__enter__()


def test_clear_leftovers_leaves_what_others_made(tmp_path):
    kept = ["photos/.tmp-cat", "photos/.tmp-7", "photos/.tmp-7-1-x"]
    for name in (*kept, "rides/.tmp-7-123", "rides/.tmp-8-1", "rides/8", "rides/old.rolled_back"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "rides/.tmp-5.json",
        "rides/.tmp-8.md",
        "rides/5.json",
        "rides/6.json",
        "rides/7.json",
        "rides/8.json",
    ):
        write_json(tmp_path / name, {})
    clear_leftovers(tmp_path)
    assert all((tmp_path / name).exists() for name in kept)
    assert not (tmp_path / "photos" / ".lock").exists()
    # 7 never appeared; 5 and 6 were there and somebody removed them; 8 is in service.
    assert sorted(path.name for path in (tmp_path / "rides").iterdir()) == [
        *(".lock", "5.json", "6.json", "8", "8.json", "old.rolled_back"),
    ]
    clear_leftovers(tmp_path / "missing")


def test_make_folder_leaves_a_folder_that_is_there_as_it_is(tmp_path):
    (tmp_path / "rides").mkdir()
    (tmp_path / "rides").chmod(0o711)
    make_folder(tmp_path / "rides")
    assert (tmp_path / "rides").stat().st_mode & 0o777 == 0o711


def test_write_card_leaves_a_whole_file_with_the_folders_permissions(tmp_path):
    tmp_path.chmod(0o750)
    write_card(tmp_path, 7, "# Card\n")
    assert [path.name for path in tmp_path.iterdir()] == ["7.md"]
    assert (tmp_path / "7.md").stat().st_mode & 0o777 == 0o640
