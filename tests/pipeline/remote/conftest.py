"""Gives tests a root in a store, as several machines see it."""

import itertools

import pytest

from crossnet.pipeline.remote import places
from crossnet.pipeline.remote.root import RemoteRoot
from crossnet.pipeline.store import Store
from support.s3_server import needs_s3, s3_server


@pytest.fixture(scope="module")
def server():
    with s3_server() as server:
        yield server


@pytest.fixture(params=["file", pytest.param("s3", marks=needs_s3)])
def uri(request, tmp_path):
    if request.param == "s3":
        return request.getfixturevalue("server").bucket().uri("root")
    (tmp_path / "there").mkdir()
    return (tmp_path / "there").as_uri()


@pytest.fixture
def machine(uri, tmp_path, monkeypatch):
    """Each call is another machine's view of the root."""
    numbers = itertools.count()

    def new(folder=None):
        folder = folder or tmp_path / f"machine{next(numbers)}"
        monkeypatch.setitem(places._roots, folder, RemoteRoot(uri, folder))
        return Store(folder)

    return new
