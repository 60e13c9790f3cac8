"""Tests the checksum of a folder; tests/components/test_files.py has its other tests."""

from __future__ import annotations

import hashlib

from crossnet.serving.protocol.folder_checksum import folder_checksum


def test_checksum_is_what_sha256sum_gives_for_a_list_of_names_and_digests(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "data").write_bytes(b"weights")
    lines = (
        f"saved_model.pb\0{hashlib.sha256(b'graph').hexdigest()}\n"
        f"variables/data\0{hashlib.sha256(b'weights').hexdigest()}\n"
    )
    assert folder_checksum(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()
