from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.json_forms import check_lines
from crossnet.serving.protocol.limits import MAX_ROW_BYTES

ROWS = [{"x": i + 0.5, "y": i} for i in range(300)]  # more than the first bytes that are looked at


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_within_an_object_is_refused_with_the_command(tmp_path: Path, indent: int | None, mark: str) -> None:
    (file := tmp_path / "a.json").write_text(mark + json.dumps({"n": 300, "rows": ROWS}, indent=indent) + "\n")
    with pytest.raises(DataError, match=r"`a.json` is one object with the keys `n`, `rows`. .* `jq -c '\.rows\[\]' a"):
        check_lines(file)


def test_a_first_line_that_is_not_whole_is_looked_at_with_the_others(tmp_path: Path) -> None:
    text = '{"data": [\n' + ",\n".join(map(json.dumps, ROWS)) + "]}"
    with gzip.open(file := tmp_path / "a.json.gz", "wt") as stream:
        stream.write(text)
    with pytest.raises(DataError, match=r"is one object with the key `data`. .* `jq -c '\.data\[\]'"):
        check_lines(file)


def test_arrays_without_names_are_refused(tmp_path: Path) -> None:
    (file := tmp_path / "a.json").write_text(json.dumps([[1, 2], [3, 4]]))
    with pytest.raises(DataError, match=r"`a.json` is one array. .* `jq -c '\.\[\] \| to_entries"):
        check_lines(file)


def test_an_object_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "a.json").write_bytes(b'{"a": "' + b"x" * MAX_ROW_BYTES + b'", "rows": []}')
    with pytest.raises(DataError, match=r"or of more than 32 MiB. .* `jq -c '\.NAME\[\]' a.json > a-lines.jsonl`"):
        check_lines(file)


@pytest.mark.parametrize(
    "text",
    [
        '{"x": [{"a": 1}]}\n{"x": []}\n',
        '{"x": 1}\n',
        "",
        "\n",
        "nonsense",
        '{"x": "' + "a" * 5000 + '", "data": [{"a": 1}]}\n' + '{"x": 1}\n',
    ],
)
def test_lines_are_left_to_be_read(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "a.jsonl").write_text(text)
    check_lines(file)
