"""Tests a folder of a store in which one process at a time works: what is fetched, what is kept, what is told."""

from __future__ import annotations

import pytest

from crossnet.components.errors import PipelineError
from crossnet.pipeline.remote import shared_folder
from crossnet.pipeline.remote.shared_folder import SharedFolder, alone_in
from crossnet.serving.storage.folder import StoreError, StoreFolder

JOURNAL = "study.journal"


@pytest.fixture
def share(machine):
    """Each call is another machine's view of one folder; with the lines that it says."""

    def new(root=None):
        store, said = machine(root), []
        folder = store.root / "tune" / "dense-1"
        folder.mkdir(parents=True, exist_ok=True)
        return SharedFolder(store.remote, folder, "search", said.append), folder, said

    return new


def test_a_search_goes_on_where_another_machine_has_stopped(share):
    shared, folder, _ = share()
    with shared.held():
        shared.fetch(JOURNAL)  # nothing is there
        (folder / JOURNAL).write_text("1\n2\n")
        (folder / "tune.json").write_text("{}")
        (folder / ".tmp-work").mkdir()
        shared.put(JOURNAL)
    other, there, said = share()
    with other.held():
        other.fetch(JOURNAL)
        assert sorted(path.name for path in there.iterdir()) == [JOURNAL, "tune.json"]
        with (there / JOURNAL).open("a") as file:
            file.write("3\ntor")
        other.fetch(JOURNAL)
        assert (there / JOURNAL).read_text() == "1\n2\n3\ntor"  # what is here is more
        (there / JOURNAL).write_text("1\n4\n")
        other.fetch(JOURNAL)
    assert (there / JOURNAL).read_text() == "1\n2\n"
    assert [line.partition("` ")[2] for line in said] == [
        "has gone on without what was done here last, which is left out."
    ]


def test_a_second_process_is_kept_out_of_the_folder_and_of_no_other(share, machine):
    shared, folder, _ = share()
    other, _, _ = share()
    store = machine()
    with shared.held():
        with (
            pytest.raises(PipelineError, match=r"^Another `search` \(process .* is at work in `.*/tune/dense-1`\."),
            other.held(),
        ):
            pass
        with alone_in(store.remote, store.root / "tune" / "dense-2", "search"), machine().locked():
            pass
    with alone_in(None, folder, "search"), other.held():
        pass


def test_a_store_that_fails_stops_no_work_and_is_told_of_once_and_at_the_end(share, monkeypatch):
    def fails(*_, **__):
        raise StoreError("`s3://b` cannot be written: no.")

    monkeypatch.setattr(shared_folder, "PUT_SECONDS", 0.0)
    shared, folder, said = share()
    with shared.held():
        (folder / JOURNAL).write_text("1\n")
        with monkeypatch.context() as patch:
            patch.setattr(StoreFolder, "upload", fails)
            shared.put_soon(JOURNAL)
            shared.put_soon(JOURNAL)
            assert said == ["`s3://b` cannot be written: no. The work goes on here, and is put there later."]
            with pytest.raises(
                PipelineError, match=r"^`s3://b` cannot be written: no\. What was made is kept in `.*/tu"
            ):
                shared.put(JOURNAL)
        shared.put_soon(JOURNAL)
        other, there, _ = share()
        other.fetch(JOURNAL)
        assert (there / JOURNAL).read_text() == "1\n"
        with monkeypatch.context() as patch:
            patch.setattr(StoreFolder, "entries", fails)
            with pytest.raises(PipelineError, match=r"^`s3://b` cannot be written: no\. Check the store and the cred"):
                other.fetch(JOURNAL)
        with monkeypatch.context() as patch:
            patch.setattr(StoreFolder, "write", fails)
            with pytest.raises(PipelineError, match=r"^`s3://b` cannot be written: no\. Check the"), share()[0].held():
                pass


def test_a_search_that_has_lost_its_claim_puts_nothing_there(share, monkeypatch):
    monkeypatch.setattr(shared_folder, "PUT_SECONDS", 0.0)
    shared, folder, _ = share()
    (folder / JOURNAL).write_text("1\n")
    for put in (shared.put_soon, shared.put):
        with pytest.raises(PipelineError, match=r"^This process has lost its claim on `.*/tune/dense-1`: it could"):
            put(JOURNAL)
