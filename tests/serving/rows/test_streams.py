"""What rows are read from and answers written to: files that appear whole, links, pipes, devices."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import os
import resource
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.rows.streams import opened, written
from crossnet.serving.status import OutputError, RowsError, UsageError


def put(path, data=b"new"):
    with written(path) as stream:
        stream.write(data)


def test_output_has_its_name_only_when_it_is_whole(tmp_path):
    with written(tmp_path / "out.csv") as stream:
        stream.write(b"new")
        assert not (tmp_path / "out.csv").exists()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.csv": b"new"}


def test_output_of_a_block_that_fails_is_as_it_was(tmp_path):
    (tmp_path / "out.csv").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written(tmp_path / "out.csv") as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.csv": b"old"}


def test_output_keeps_its_link_and_its_permissions(tmp_path):
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there/out.csv", tmp_path / "out.csv"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    put(link)
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["out.csv"]


def test_output_may_be_a_pipe_which_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        put(pipe)
        assert read.result() == b"new"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_output_may_be_a_pipe_without_a_name():
    read, write = os.pipe()
    put(Path(f"/dev/fd/{write}"))
    os.close(write)
    with open(read, "rb") as pipe:
        assert pipe.read() == b"new"


def test_two_outputs_in_one_folder_do_not_meet(tmp_path):
    with written(tmp_path / "a.csv") as a, written(tmp_path / "b.csv") as b:
        a.write(b"A")
        b.write(b"B")
        assert len(list(tmp_path.iterdir())) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.csv": b"A", "b.csv": b"B"}


def test_gzip_output_keeps_its_own_name(tmp_path):
    put(tmp_path / "a.csv.GZ")
    content = (tmp_path / "a.csv.GZ").read_bytes()
    assert gzip.decompress(content) == b"new"
    assert b"crossnet" not in content  # the header has a place for the name
    with opened(tmp_path / "a.csv.GZ") as stream:
        assert stream.read() == b"new"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no/out.csv", "Cannot write `.*no/out.csv`: No such file or directory"),
        (".", "Cannot write `.*`: it is a folder. Name a file in it"),
        ("n" * 300, "File name too long"),
        ("a\0b", "Cannot write `.*a\0b`: its name holds a character that file names cannot have"),
    ],
)
def test_output_that_cannot_be_opened_is_told(tmp_path, name, sentence):
    with pytest.raises(UsageError, match=sentence), written(tmp_path / name):
        raise AssertionError("it was opened")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no.csv", "Cannot read `.*no.csv`: No such file or directory"),
        ("no.csv.gz", "Cannot read `.*no.csv.gz`: No such file or directory"),
        ("a\0b", "Cannot read `.*a\0b`: its name holds a character that file names cannot have"),
    ],
)
def test_rows_that_cannot_be_opened_are_named(tmp_path, name, sentence):
    with pytest.raises(UsageError, match=sentence), opened(tmp_path / name):
        raise AssertionError("it was opened")


@pytest.mark.parametrize("data", [b"x", b"x" * 10**6])
@pytest.mark.parametrize("name", ["/dev/full", "full.gz"])
def test_full_disk_is_told(tmp_path, data, name):
    (tmp_path / "full.gz").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="Cannot write `.*`: No space left on device. Name a place with room"):
        put(tmp_path / name, data)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_stream_that_the_system_refuses_is_no_wrong_usage(tmp_path):
    (tmp_path / "rows.csv").write_text("x\n1\n")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for _ in range(highest):  # fills the gaps below the limit
            if stack.enter_context(open(os.devnull)).fileno() > highest:
                break
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        with pytest.raises(RowsError, match="Cannot read `.*rows.csv`: Too many open files"):
            opened(tmp_path / "rows.csv").__enter__()
        with pytest.raises(OutputError, match="Cannot write `.*out.csv`: Too many open files"):
            written(tmp_path / "out.csv").__enter__()


@pytest.mark.parametrize("kind", ["gzip", "bz2", "zstd", "lz4"])
def test_compressed_file_is_told_by_its_first_bytes_whatever_its_name(tmp_path, kind):
    content = b"a,b\n" + b"1,2\n" * 100_000
    with pa.CompressedOutputStream(str(tmp_path / "rows.csv"), kind) as packed:
        packed.write(content)
    with opened(tmp_path / "rows.csv") as stream:
        assert stream.readline() + stream.read() == content


def test_a_file_that_is_named_gz_and_is_plain_is_read_as_it_is(tmp_path):
    (tmp_path / "rows.csv.gz").write_bytes(b"x\n1\n")
    with opened(tmp_path / "rows.csv.gz") as stream:
        assert stream.read() == b"x\n1\n"


def test_record_whose_length_begins_as_gzip_does_is_not_taken_for_it(tmp_path):
    record = write_frame(b"x" * 0x088B1F)
    assert record.startswith(b"\x1f\x8b\x08")  # a length that begins as gzip does
    (tmp_path / "rows.tfrecord").write_bytes(record)
    with opened(tmp_path / "rows.tfrecord") as stream:
        assert stream.read() == record


def test_the_unfinished_output_of_a_killed_process_is_removed_and_that_of_a_live_one_is_not(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone, lives = (tmp_path / f".crossnet-predict-{pid}-0a0b0c0d.tmp" for pid in (ended.pid, os.getpid()))
    gone.touch()
    lives.touch()
    with written(tmp_path / "out.jsonl") as stream:
        stream.write(b"row")
    assert {path.name for path in tmp_path.iterdir()} == {lives.name, "out.jsonl"}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, bytes], ids=["gzip", "bz2", "plain"])
def test_standard_input_is_decompressed_by_its_first_bytes(pack, tmp_path, monkeypatch):
    (tmp_path / "in").write_bytes(pack(b"x\n1\n"))
    with open(tmp_path / "in") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with opened("-") as stream:
            assert stream.read() == b"x\n1\n"
