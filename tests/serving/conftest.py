"""A server without TensorFlow, its address, and files of rows."""

from __future__ import annotations

import pytest

from support.fake_server import XS, FakeServer


@pytest.fixture
def server():
    return FakeServer(XS)


@pytest.fixture
def target(server):
    with server.running() as target:
        yield target


@pytest.fixture
def rows(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
