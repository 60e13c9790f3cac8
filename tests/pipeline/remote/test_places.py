"""Tests which folder a root is kept in, by what `--root` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.remote.places import copies, folder_of, remote_of


def test_a_path_and_a_file_uri_are_folders_themselves(tmp_path):
    assert folder_of(tmp_path) == tmp_path
    assert folder_of("crossnet_root") == Path("crossnet_root")
    assert folder_of(f"file://{tmp_path}") == tmp_path
    assert remote_of(tmp_path) is None


def test_a_root_in_a_store_has_a_copy_of_its_own_whatever_the_password(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = folder_of("s3://key:secret@bucket/kept?region=x")
    assert folder.parent == copies() == tmp_path / "crossnet" / "roots"
    assert folder_of("s3://bucket/kept/?region=x") == folder
    assert folder_of("s3://bucket/other?region=x") != folder
    assert remote_of(folder).store.name == "s3://bucket/kept"
    assert not folder.exists()  # nothing is asked or made before a command needs it


def test_a_uri_that_pyarrow_does_not_know_is_refused():
    with pytest.raises(SettingsError, match=r"^--root: `ftp://host/kept` cannot be read: Unrecognized filesystem type"):
        folder_of("ftp://host/kept")
