from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.files import input_files


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("a")


def found(root: Path, **settings: Any) -> list[str]:
    files = input_files(ExampleGenParams(**{"source": "csv", **settings}))
    return [path.relative_to(root).as_posix() for path in files]


def test_input_files_are_none_for_synthetic() -> None:
    assert input_files(ExampleGenParams()) == []


def test_input_files_gives_a_file_or_what_fits_a_pattern_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "a.csv", "c.txt", "deep/er/d.csv", "odd[1].csv")
    assert found(tmp_path, input=str(tmp_path / "b.csv")) == ["b.csv"]
    assert found(tmp_path, input=str(tmp_path / "odd[1].csv")) == ["odd[1].csv"]
    assert found(tmp_path, input=str(tmp_path / "?.csv")) == ["a.csv", "b.csv"]
    assert found(tmp_path, input=str(tmp_path / "**/*.csv")) == ["a.csv", "b.csv", "deep/er/d.csv", "odd[1].csv"]


def test_input_files_says_what_is_there_when_there_is_no_such_file(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "data/c.csv", "data/readme.md", "splits/train/a.csv", "splits/eval/a.csv")
    with pytest.raises(
        DataError, match=r"No file is at `.*/a.csv`.*`example_gen.input`; `.*` holds: b.csv, data, splits"
    ):
        input_files(ExampleGenParams(source="csv", input=str(tmp_path / "a.csv")))
    with pytest.raises(DataError, match=r"No file matches `.*/\*.parquet`"):
        input_files(ExampleGenParams(source="csv", input=str(tmp_path / "*.parquet")))
    for folder in ("data", "splits"):
        with pytest.raises(DataError, match=rf"{folder}` is a folder. Name its files, such as `.*/{folder}/\*`"):
            input_files(ExampleGenParams(source="csv", input=str(tmp_path / folder)))


def test_input_files_reads_a_folder_that_is_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.csv", "a/c/d.csv.gz", "a/_SUCCESS", "a/.d.csv.crc", "a/_tmp/e.csv")
    touch(tmp_path, "p/year=1/a.parquet", "p/year=2/a.parquet", "p/notes.txt", "q/year=1/part-0")
    assert found(tmp_path, input=str(tmp_path / "a")) == ["a/b.csv", "a/c/d.csv.gz"]
    both = ["p/year=1/a.parquet", "p/year=2/a.parquet"]
    assert found(tmp_path, source="parquet", input=str(tmp_path / "p")) == both
    assert found(tmp_path, source="parquet", input=str(tmp_path / "q")) == ["q/year=1/part-0"]


def test_input_files_takes_train_and_eval_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/b.csv", "train/a.csv", "eval/x/c.csv", "train/_SUCCESS", "train/.hidden", "other/d.csv")
    assert found(tmp_path, input=str(tmp_path), split="folders") == ["train/a.csv", "train/b.csv", "eval/x/c.csv"]
    with pytest.raises(DataError, match=r"other/train` holds no files. With `example_gen.split = \"folders\"`"):
        input_files(ExampleGenParams(source="csv", input=str(tmp_path / "other"), split="folders"))


SPANS = ("span-1/v-1/a.csv", "span-2/v-1/a.csv", "span-2/v-3/a.csv", "span-2/v-3/b.csv", "span-10/v-2/a.csv")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["span-10/v-2/a.csv"]),
        ({"span": 2}, ["span-2/v-3/a.csv", "span-2/v-3/b.csv"]),
        ({"span": 2, "version": 1}, ["span-2/v-1/a.csv"]),
    ],
)
def test_input_files_takes_the_newest_span_and_version_or_the_one_asked_for(
    tmp_path: Path, settings: dict[str, int], expected: list[str]
) -> None:
    touch(tmp_path, *SPANS, "span-x/v-1/a.csv")
    assert found(tmp_path, input_pattern=str(tmp_path / "span-{SPAN}/v-{VERSION}/*.csv"), **settings) == expected


def test_input_files_takes_spans_with_leading_zeros_and_of_a_width(tmp_path: Path) -> None:
    touch(tmp_path, "day0007.csv", "day0010.csv", "day123456.csv")
    assert found(tmp_path, input_pattern=str(tmp_path / "day{SPAN:4}.csv")) == ["day0010.csv"]
    assert found(tmp_path, input_pattern=str(tmp_path / "day{SPAN}.csv"), span=7) == ["day0007.csv"]


def test_input_files_never_takes_another_span_for_a_missing_one(tmp_path: Path) -> None:
    touch(tmp_path, *SPANS)
    pattern = str(tmp_path / "span-{SPAN}/v-{VERSION}/*.csv")
    with pytest.raises(
        DataError, match=r"There is no span 3 for .* there are: 1, 2, 10. Data of another span is never"
    ):
        found(tmp_path, input_pattern=pattern, span=3)
    with pytest.raises(DataError, match=r"There is no version 2 for .*span-2.* there are: 1, 3. .* to one of these"):
        found(tmp_path, input_pattern=pattern, span=2, version=2)
    with pytest.raises(
        DataError, match=r"No file matches `.*none-\{SPAN\}.csv`. Expected digits where \{SPAN\} and \{VERSION\} are"
    ):
        found(tmp_path, input_pattern=str(tmp_path / "none-{SPAN}.csv"))


def test_input_pattern_takes_every_wildcard_of_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "a1/span-1/x.csv", "a2/span-1/y.csv", "b1/span-1/z.csv")
    for wild in ("a?", "a*", "[ac][0-9]", "[!b]*"):
        pattern = str(tmp_path / wild / "span-{SPAN}" / "*.csv")
        assert found(tmp_path, input_pattern=pattern) == ["a1/span-1/x.csv", "a2/span-1/y.csv"]
