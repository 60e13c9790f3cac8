"""Rows are grouped into batches of so many rows, or fewer where they are long."""

import io

import pytest

from crossnet.serving.rows import batches
from crossnet.serving.rows.batches import batches_of, read_errors
from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.status import RowsError


def sizes(data, size):
    table = JsonLinesReader(io.BytesIO(data), "rows")
    return [len(batch) for batch in batches_of(table, size, "rows")]


def test_batches_have_so_many_rows_and_the_last_one_the_rest():
    assert sizes(b'{"a": 1}\n' * 7, 3) == [3, 3, 1]
    assert sizes(b"", 3) == []


def test_long_rows_make_smaller_batches(monkeypatch):
    monkeypatch.setattr(batches, "_MAX_BATCH_BYTES", 20)
    assert sizes(b'{"a": 1}\n' * 7, 100) == [3, 3, 1]


def test_what_the_system_refuses_is_told_with_the_files_name():
    with pytest.raises(RowsError, match="rows.csv cannot be read: Input/output error"), read_errors("rows.csv"):
        raise OSError(5, "Input/output error")
