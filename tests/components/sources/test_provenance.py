from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossnet.components.sources.provenance import CODES_FILE, DROPPED, RowLog, locate, write_provenance
from support.example_gen_fixtures import make, make_csv, rows_of


def table(rows: int) -> str:
    return "id,x,y\n" + "".join(f"k{n % 50},{n},1\n" for n in range(rows))


@pytest.mark.parametrize(
    "rule",
    [
        {"split": "order"},
        {"split": "hash"},
        {"split": "random", "num_shards": 3},
        {"split": "key", "split_column": "id"},
    ],
)
def test_locate_names_the_line_of_every_record(tmp_path: Path, rule: dict[str, Any]) -> None:
    examples = make_csv(tmp_path, table(60), **rule)
    for split in ("train", "eval"):
        for record, row in enumerate(rows_of(examples, split)):
            assert locate(examples, split, record) == f"rides.csv:{row['x'] + 2}"


def test_locate_finds_the_file_and_tells_files_of_one_name_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.csv").write_text("x,y\n1,2\n\n3,4\n")
    examples = make(tmp_path, source="csv", input=str(tmp_path / "*/part.csv"), eval_fraction=0.5)
    assert [locate(examples, "train", n) for n in (0, 1)] == ["a/part.csv:2", "a/part.csv:4"]
    assert [locate(examples, "eval", n) for n in (0, 1)] == ["b/part.csv:2", "b/part.csv:4"]


def test_locate_counts_rows_of_synthetic_tables_and_of_folders(tmp_path: Path) -> None:
    assert locate(make(tmp_path, num_examples=100), "eval", 3) == "synthetic row 93"
    for folder in ("train", "eval"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / f"{folder}.csv").write_text("x,y\n1,2\n3,4\n")
    examples = make(tmp_path, source="csv", input=str(tmp_path / "in"), split="folders")
    assert locate(examples, "eval", 1) == "eval.csv:3"
    assert locate(examples, "train", 1) == "train.csv:3"


def test_locate_still_tells_the_row_when_the_file_is_gone(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, table(10))
    (tmp_path / "rides.csv").unlink()
    assert locate(examples, "train", 4) == "rides.csv row 5"


def test_locate_refuses_a_record_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="record 9 of 9 in split train"):
        locate(make_csv(tmp_path, table(10)), "train", 9)


def test_provenance_takes_two_bits_per_row_or_nothing(tmp_path: Path) -> None:
    assert (make(tmp_path, num_examples=80_000, split="hash").path / CODES_FILE).stat().st_size == 20_000
    assert not (make(tmp_path, num_examples=1000).path / CODES_FILE).exists()


@pytest.mark.parametrize("rule", [{"split": "order"}, {"split": "random"}, {"split": "folders"}])
def test_locate_names_the_line_of_every_record_beside_rows_that_are_left_out(
    tmp_path: Path, rule: dict[str, Any]
) -> None:
    for folder in ("train", "eval"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        lines = [f"{n},{'' if n % 5 == 3 else 1}" for n in range(37)]
        (tmp_path / "in" / folder / f"{folder}.csv").write_text("\n".join(["x,y", *lines]))
    wanted = "in" if rule["split"] == "folders" else "in/*/*.csv"
    examples = make(tmp_path, source="csv", input=str(tmp_path / wanted), **rule)
    assert sum(examples.counts.values()) == 74 - 14
    found = []
    for split in ("train", "eval"):
        for record, row in enumerate(rows_of(examples, split)):
            file, line = locate(examples, split, record).split(":")
            assert line == str(row["x"] + 2)
            found.append((file, line))
    assert len(set(found)) == 60


def test_row_log_begins_each_unit_with_a_new_byte_whatever_the_pieces(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written, expected = [], b""
    for part in range(2):
        with RowLog(tmp_path / str(part)) as log:
            for unit in (2 * part, 2 * part + 1):
                codes = rng.choice([0, 1, 2, DROPPED], 70_001 + unit).astype(np.uint8)
                for piece in np.split(codes, [0, 3, 11, 65_000]):
                    log.add(unit, piece)
                padded = np.pad(codes, (0, -len(codes) % 4)).reshape(-1, 4).astype(int)
                expected += (padded @ [64, 16, 4, 1]).astype(np.uint8).tobytes()
        assert log.rows == {2 * part: 70_001 + 2 * part, 2 * part + 1: 70_002 + 2 * part}
        written.append(log.path)
    write_provenance(tmp_path, written)
    assert (tmp_path / CODES_FILE).read_bytes() == expected
