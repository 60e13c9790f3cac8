from __future__ import annotations

from pathlib import Path

from crossnet.components.sources.base import file_label


def test_file_label_adds_the_folder_where_names_repeat() -> None:
    files = [Path("a/x.csv"), Path("b/x.csv"), Path("b/y.csv")]
    assert [file_label(path, files) for path in files] == ["a/x.csv", "b/x.csv", "y.csv"]
