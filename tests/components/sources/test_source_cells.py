import gzip
import os

import pytest

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.example_gen import generate_examples
from crossnet.components.files import write_json
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources import source_cells
from crossnet.components.sources.source_cells import source_rows_of


def make(tmp_path, text, name="rides.csv", **settings):
    """Returns the records of a table as a finished artifact."""
    files = text if isinstance(text, dict) else {name: text}
    for each, content in files.items():
        (tmp_path / each).write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(tmp_path / each, (1e9, 1e9))
    given = name if name in files else "*.csv"
    chosen = {"source": "csv", "label": "fare", "split": "order", "eval_fraction": 0.5, **settings}
    output = tmp_path / "examples"
    output.mkdir()
    examples = generate_examples(output_dir=output, params=ExampleGenParams(input=str(tmp_path / given), **chosen))
    facts = {"type": "Examples", "format": 1, "counts": {}, "properties": {}, "fingerprint": "f"}
    write_json(output / ARTIFACT_FILE, {**facts, "created_at": "2026-01-01T00:00:00+00:00"})
    return examples


ROWS = "".join(f'"R{i}","a\nb",{i},{i}.5\n' for i in range(8))
TABLE = f"Ride ID,note,x,fare\n{ROWS}"


def test_rows_have_the_line_and_the_cells_of_excluded_columns(tmp_path):
    examples = make(tmp_path, TABLE, exclude=("Ride_ID", "note"))
    found = source_rows_of(examples, "eval", [3, 0], ["Ride_ID", "x", "gone"])
    assert found == {3: ("rides.csv:16", {"Ride ID": "R7", "x": "7"}), 0: ("rides.csv:10", {"Ride ID": "R4", "x": "4"})}


def test_rows_of_several_compressed_files_are_found(tmp_path):
    files = {"a.csv": TABLE, "b.csv": gzip.compress(TABLE.encode())}
    examples = make(tmp_path, files, name="none", exclude=("Ride_ID", "note"))
    found = source_rows_of(examples, "eval", [0, 7], ["Ride ID"])
    assert [tuple(row) for row in found.values()] == [("b.csv:2", {"Ride ID": "R0"}), ("b.csv:16", {"Ride ID": "R7"})]


@pytest.mark.parametrize("why", ["changed", "large", "gone"])
def test_a_file_that_is_not_as_it_was_gives_the_number_of_the_row_only(tmp_path, monkeypatch, why):
    examples = make(tmp_path, TABLE, exclude=("Ride_ID", "note"))
    if why == "changed":
        os.utime(tmp_path / "rides.csv", (2e9, 2e9))
    elif why == "gone":
        (tmp_path / "rides.csv").unlink()
    else:
        monkeypatch.setattr(source_cells, "MAX_BYTES", 10)
    assert source_rows_of(examples, "eval", [1], ["Ride_ID"]) == {1: ("row 6 of the source", {})}


def test_a_file_without_a_header_has_the_names_of_the_settings(tmp_path):
    names = ("id", "note", "x", "fare")
    examples = make(tmp_path, ROWS, header=False, names=names, exclude=("id", "note"))
    assert source_rows_of(examples, "eval", [0], ["id"]) == {0: ("rides.csv:9", {"id": "R4"})}


def test_other_sources_say_where_a_record_is(tmp_path):
    lines = "".join(f'{{"id": "R{i}", "x": {i}, "fare": {i}.5}}\n' for i in range(8))
    examples = make(tmp_path, lines, name="rides.jsonl", source="jsonl", exclude=("id",))
    assert source_rows_of(examples, "eval", [1], ["id"]) == {1: ("rides.jsonl:6", {})}
