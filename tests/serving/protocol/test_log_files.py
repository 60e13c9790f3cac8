"""A file of a log has its name only while it is whole, whatever ended its process."""

from __future__ import annotations

import os
import time

import pytest

from crossnet.serving.protocol.log_files import LogFile, check_is_writable, name_left_files, whole_bytes
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.status import UsageError
from support.limits import files_of_at_most

ONE, TWO = write_frame(b"one"), write_frame(b"two" * 100)


def test_file_has_a_temporary_name_until_it_is_closed(tmp_path):
    file = LogFile(tmp_path, "a-1")
    file.write([ONE, TWO])
    (unfinished,) = tmp_path.iterdir()
    assert unfinished.name.startswith(".tmp-requests-20")
    file.close()
    (path,) = tmp_path.iterdir()
    assert path.name == unfinished.name.removeprefix(".tmp-")
    assert path.read_bytes() == ONE + TWO


def test_file_without_a_record_is_removed(tmp_path):
    LogFile(tmp_path, "a-1").close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_in_part_is_taken_back(tmp_path):
    file = LogFile(tmp_path, "a-1")
    file.write([ONE])
    with files_of_at_most(len(ONE) + 7), pytest.raises(OSError, match="too large"):
        file.write([TWO])
    file.close()
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == ONE


def test_file_is_due_by_its_size_and_by_its_age(tmp_path, monkeypatch):
    file = LogFile(tmp_path, "a-1")
    file.write([ONE])
    assert (file.is_due(len(ONE), 60), file.is_due(len(ONE) + 1, 60)) == (True, False)
    now = time.monotonic()
    monkeypatch.setattr("crossnet.serving.protocol.log_files.time.monotonic", lambda: now + 100)
    assert (file.is_due(1000, 60), file.is_due(1000, 600)) == (True, False)
    file.close()


@pytest.mark.parametrize("cut", [0, 1, 5, len(TWO) - 1])
def test_file_that_a_killed_process_left_is_cut_behind_its_last_whole_record(tmp_path, cut):
    (tmp_path / ".tmp-requests-a.tfrecord").write_bytes(ONE + TWO[:cut])
    name_left_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["requests-a.tfrecord"]
    assert (tmp_path / "requests-a.tfrecord").read_bytes() == ONE


def test_left_file_without_a_whole_record_is_removed_once_nobody_can_be_at_work_on_it(tmp_path):
    path = tmp_path / ".tmp-requests-a.tfrecord"
    path.write_bytes(ONE[:3])
    name_left_files(tmp_path)
    assert path.exists()
    os.utime(path, (0, 0))
    name_left_files(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_open_is_left_alone(tmp_path):
    file = LogFile(tmp_path, "a-1")
    file.write([ONE])
    name_left_files(tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith(".tmp-")
    file.close()


def test_whole_bytes_end_at_the_first_damage(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(ONE + TWO.replace(b"two", b"tvo", 1) + ONE)
    with path.open("rb") as stream:
        assert whole_bytes(stream) == len(ONE)


def test_folder_that_cannot_be_written_is_told(tmp_path):
    check_is_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"The request log cannot be written to `.*/file/b`: Not a directory. Name a"):
        check_is_writable(tmp_path / "file" / "b")


def test_many_pieces_are_written_whole_and_in_order_also_where_the_system_takes_fewer_bytes(tmp_path, monkeypatch):
    real = os.writev
    monkeypatch.setattr(
        "crossnet.serving.protocol.log_files.os.writev", lambda to, some: real(to, [some[0], some[1][:2]])
    )
    pieces = [b"%05d" % number for number in range(2500)]
    file = LogFile(tmp_path, "a")
    file.write(pieces)
    file.close()
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == b"".join(pieces)
