"""Tests how folders of stores are read, and what is said of those that cannot be."""

from __future__ import annotations

import socket
import threading
import time

import grpc
import pytest

from crossnet.serving.storage import folder as module
from crossnet.serving.storage.folder import Entry, StoreError, StoreFolder, check_uri, within
from support.s3_server import CREDENTIALS, needs_s3, s3_server


@pytest.fixture
def credentials(monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store" / "7" / "variables").mkdir(parents=True)
    (tmp_path / "store" / "7.json").write_bytes(b"{}")
    (tmp_path / "store" / "7" / "variables" / "data").write_bytes(b"weights")
    return StoreFolder((tmp_path / "store").as_uri())


def test_entries_are_named_from_the_folder_on(store, tmp_path):
    changed = (tmp_path / "store" / "7.json").stat().st_mtime_ns
    assert store.entries()["7.json"] == Entry(False, 2, changed)
    assert store.entries()["7"].is_folder
    assert store.entries()["7"].size == 0
    assert list(store.entries("7", deep=True)) == ["variables/data"]
    assert store.entries("7/variables")["data"].size == 7
    assert store.entries("8") is None
    assert store.entry("7.json") == Entry(False, 2, changed)
    assert store.entry("7/variables").is_folder
    assert store.entry("8.json") is None


def test_files_are_read_and_copied(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PIECE_BYTES", 3)
    assert store.read("7/variables/data") == b"weights"
    store.download("7/variables/data", tmp_path / "new" / "data")
    assert (tmp_path / "new" / "data").read_bytes() == b"weights"
    with pytest.raises(StoreError, match=r"store/8` cannot be read: .*(No such file|Failed to open)"):
        store.read("8")


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("foo://x/y", r"^`foo://x/y` cannot be read: Unrecognized filesystem type in URI: foo://x/y\. Expected"),
        ("s3://b/m?colour=red", r"^`s3://b/m` cannot be read: Unexpected query parameter in S3 URI: 'colour'\. Exp"),
        ("gs://b/m?colour=red", r"^`gs://b/m` cannot be read: Unexpected query parameter in GCS URI: 'colour'\. Exp"),
        ("file://host/m", r"^`file://host/m` cannot be read: Unsupported hostname in non-Windows local URI"),
        ("abfs://c", r"^`abfs://c` cannot be read: AzureOptions doesn't contain a valid account name\. Expected"),
        ("s3://", r"^`s3://` names no bucket and no folder\.$"),
        ("ftp://me:secret@host/m", r"^`ftp://host/m` cannot be read: Unrecognized filesystem type in URI: ftp://host/m\."),
    ],
)  # fmt: skip
def test_what_pyarrow_does_not_know_is_refused_at_once(uri, sentence):
    with pytest.raises(StoreError, match=sentence) as error:
        check_uri(uri)
    assert error.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_what_pyarrow_knows_is_accepted_without_asking_the_store(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asks"))
    start = time.monotonic()
    for uri in ("s3://b/m", "gs://b/m", "abfs://c@account.dfs.core.windows.net/m", "file:///m"):
        check_uri(uri)
    assert time.monotonic() - start < 10


def test_a_store_that_is_not_there_is_named_with_the_reason(credentials):
    store = StoreFolder("s3://b/m?endpoint_override=127.0.0.1:1&scheme=http")
    with pytest.raises(StoreError, match=r"^`s3://b/m` cannot be read: .* Could not connect to server") as error:
        store.entries()
    assert error.value.code == grpc.StatusCode.UNAVAILABLE


def test_a_store_that_never_answers_is_given_up_in_time(credentials, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(module, "_SILENT_SECONDS", 1.0)
    monkeypatch.setattr(module, "_ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = StoreFolder(f"s3://b/m?endpoint_override=127.0.0.1:{silent.getsockname()[1]}&scheme=http")
        with pytest.raises(StoreError, match=r"`s3://b/m` cannot be read: the store did not answer within 0.2 s\.$"):
            store.entries()


def test_within_gives_back_answers_and_errors_and_does_not_wait_longer():
    go_on = threading.Event()
    assert within(20, lambda: 3) == 3
    with pytest.raises(KeyError):
        within(20, lambda: {}["a"])
    with pytest.raises(TimeoutError):
        within(0.01, go_on.wait)
    go_on.set()


def test_files_are_put_replaced_and_removed(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PIECE_BYTES", 3)
    store.write("8/a.json", b"{}")
    store.write("8/a.json", b"[]")
    assert store.read("8/a.json") == b"[]"
    (tmp_path / "large").write_bytes(b"weights" * 3)
    store.upload(tmp_path / "large", "8/deep/large")
    assert store.read("8/deep/large") == b"weights" * 3
    store.remove("8/a.json")
    store.remove("8/a.json")
    assert store.entry("8/a.json") is None
    with pytest.raises(StoreError, match=r"store/7.json/a` cannot be written: "):
        store.write("7.json/a", b"")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a//b", "", "a/./b", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_not_read(name):
    with pytest.raises(StoreError, match=r"`s3://b/m` holds `.*`, which is not a path below it. It is not read\."):
        module._checked(name, "s3://b/m")
    assert module._checked("a/b..c", "s3://b/m") == "a/b..c"


@needs_s3
def test_s3_gives_the_same_answers_as_a_folder_here(tmp_path):
    with s3_server() as server:
        bucket = server.bucket()
        store = StoreFolder(bucket.uri("models/"))
        assert store.entries() is None
        bucket.put("models/7/variables/data", b"weights")
        bucket.put("models/7.json", b"{}")
        assert store.entries().keys() == {"7", "7.json"}
        assert store.entries()["7.json"].size == 2
        assert list(store.entries("7", deep=True)) == ["variables/data"]
        assert store.entry("7").is_folder
        assert store.entry("8") is None
        store.download("7/variables/data", tmp_path / "data")
        assert (tmp_path / "data").read_bytes() == b"weights"
        with pytest.raises(StoreError, match=r"^`s3://nobody/m` cannot be read: .* bucket does not exist"):
            StoreFolder(bucket.uri("m").replace(bucket.name, "nobody")).entries()
