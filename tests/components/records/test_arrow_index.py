"""The index of Arrow files, against what pyarrow writes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.records.arrow_index import graft, read_index, rows_of

SCHEMA = pa.schema([("a", pa.int64()), ("t", pa.large_binary())], {"of": "0"})


def write(path: Path, sizes: list[int], schema: pa.Schema = SCHEMA) -> Path:
    with pa.ipc.new_file(str(path), schema) as writer:
        for number, size in enumerate(sizes):
            arrays = [pa.array(range(size), pa.int64()), pa.array([b"x" * number] * size, pa.large_binary())]
            writer.write_batch(
                pa.RecordBatch.from_arrays(arrays[: len(schema)], schema=schema),
                custom_metadata={"number": str(number)},
            )
    return path


@pytest.mark.parametrize("sizes", [[], [5], [5, 0, 3, 1]])
def test_the_index_says_where_batches_are(tmp_path: Path, sizes: list[int]) -> None:
    with write(tmp_path / "a.arrow", sizes).open("rb") as file:
        index = read_index(file)
        assert [rows_of(file, block) for block in index.blocks] == sizes
    ends = [block.end for block in index.blocks]
    assert [block.offset for block in index.blocks[1:]] == ends[:-1]
    assert all(end <= index.start for end in ends)


@pytest.mark.parametrize("rest", [[], [2, 9]])
def test_a_grafted_file_is_the_one_that_would_be_written(tmp_path: Path, rest: list[int]) -> None:
    whole = write(tmp_path / "whole.arrow", [5, 3, *rest])
    stem = write(tmp_path / "stem.arrow", [5, 3, 7], SCHEMA.with_metadata({"of": "?"}))
    with pa.ipc.open_file(str(whole)) as reader, pa.ipc.new_file(str(tmp_path / "a.arrow"), SCHEMA) as writer:
        for number in range(2 + len(rest)):
            batch, metadata = reader.get_batch_with_custom_metadata(number)
            writer.write_batch(batch.slice(0, 0) if number < 2 else batch, custom_metadata=metadata)
    graft(tmp_path / "a.arrow", stem, 2)
    assert (tmp_path / "a.arrow").read_bytes() == whole.read_bytes()
    assert not stem.exists()


def test_files_of_other_schemas_are_not_grafted(tmp_path: Path) -> None:
    stem = write(tmp_path / "stem.arrow", [5], pa.schema([("a", pa.int64())]))
    with pytest.raises(ValueError, match="schemas"):
        graft(write(tmp_path / "a.arrow", [0]), stem, 1)
