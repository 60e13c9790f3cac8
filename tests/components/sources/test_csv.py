from __future__ import annotations

import bz2
import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.errors import DataError, PipelineError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.csv import plan_csv
from crossnet.components.sources.provenance import locate
from support.example_gen_fixtures import all_rows, make, make_csv, rows_of


def types_of(examples: Any) -> dict[str, str]:
    return {column["name"]: column["type"] for column in examples.properties["columns"]}


def test_csv_keeps_numbers_text_and_holes(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "miles,zone,riders,fare\n1.5,nord,2,7\n,süd,,8.5\n3,,4,9\n", label="fare")
    assert types_of(examples) == {"miles": "FLOAT", "zone": "BYTES", "riders": "INT", "fare": "FLOAT"}
    assert all_rows(examples) == [
        {"miles": 1.5, "zone": b"nord", "riders": 2, "fare": 7.0},
        {"miles": None, "zone": "süd".encode(), "riders": None, "fare": 8.5},
        {"miles": 3.0, "zone": None, "riders": 4, "fare": 9.0},
    ]
    assert examples.counts == {"train": 2, "eval": 1}
    assert examples.label == "fare"


def test_csv_label_is_set_by_name_and_is_float(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "a,fare\n1,2\n3,4\n", label="fare")
    assert types_of(examples) == {"a": "INT", "fare": "FLOAT"}


def test_csv_stores_booleans_and_times_as_whole_numbers(tmp_path: Path) -> None:
    text = (
        "paid,day,at,zoned,y\n"
        "true,2026-11-23,1970-01-01T00:01:00,1970-01-01T01:00:00+01:00,1\n"
        "False,,1969-12-31 23:59:59,1970-01-01T00:00:07Z,2\n"
    )
    examples = make_csv(tmp_path, text)
    assert set(types_of(examples).values()) == {"INT", "FLOAT"}
    assert all_rows(examples) == [
        {"paid": 1, "day": 1_795_392_000, "at": 60, "zoned": 0, "y": 1.0},
        {"paid": 0, "day": None, "at": -1, "zoned": 7, "y": 2.0},
    ]


def test_csv_takes_nan_and_infinity_as_numbers_and_only_the_empty_cell_as_missing(tmp_path: Path) -> None:
    rows = all_rows(make_csv(tmp_path, 'a,b,y\nnan,NA,1\ninf,"",2\n-inf,null,3\n+5,x,1e99\n'))
    assert math.isnan(rows[0]["a"])
    assert [row["a"] for row in rows[1:]] == [math.inf, -math.inf, 5.0]
    assert [row["b"] for row in rows] == [b"NA", None, b"null", b"x"]
    assert rows[3]["y"] == math.inf


@pytest.mark.parametrize("blank", [" ", "\t ", "\u00a0", "\u3000\x1c"])
@pytest.mark.parametrize("cell", ["5", "0.5", "true", "1970-01-01"])
def test_csv_takes_a_cell_of_blanks_for_a_hole_but_in_text(tmp_path: Path, blank: str, cell: str) -> None:
    examples = make_csv(tmp_path, "a,t,y\n" + f"{cell},x,1\n{blank},{blank},2\n" * 5)
    assert types_of(examples)["a"] != "BYTES"
    assert [row["a"] is None for row in all_rows(examples)] == [False, True] * 5
    assert all_rows(examples)[1]["t"] == blank.encode()


def test_csv_column_is_numeric_when_99_percent_of_its_first_cells_are(tmp_path: Path) -> None:
    lines = ["a,b,y"] + [f"{'word' if n < 1 else n},{'word' if n < 2 else n},{n}" for n in range(100)]
    with pytest.raises(DataError, match=r"`rides.csv:2`: `a` is 'word', expected a whole number"):
        make_csv(tmp_path, "\n".join(lines))
    assert types_of(make_csv(tmp_path, "\n".join(lines), text=("a",))) == {"a": "BYTES", "b": "BYTES", "y": "FLOAT"}


def test_csv_settings_override_the_guess(tmp_path: Path) -> None:
    text = "code,size,y\n007,1,1\n008,2,2\n"
    assert types_of(make_csv(tmp_path, text, text=("code",)))["code"] == "BYTES"
    assert rows_of(make_csv(tmp_path, text, text=("code",)), "train")[0]["code"] == b"007"
    mixed = "a,y\nx,1\n2,2\n3,3\n"
    with pytest.raises(DataError, match=r"`rides.csv:2`: `a` is 'x', expected a whole number"):
        make_csv(tmp_path, mixed, numeric=("a",))


def test_csv_column_of_whole_numbers_becomes_float_when_a_later_cell_is_not_whole(tmp_path: Path) -> None:
    lines = ["a,b,y"] + [f"{n},{n},{n}" for n in range(30_000)] + ["0.5,7,1", "1,99999999999999999999,2"]
    examples = make_csv(tmp_path, "\n".join(lines))
    assert types_of(examples) == {"a": "FLOAT", "b": "FLOAT", "y": "FLOAT"}
    assert rows_of(examples, "eval")[-2:] == [
        {"a": 0.5, "b": 7.0, "y": 1.0},
        {"a": 1.0, "b": float(np.float32(1e20)), "y": 2.0},
    ]


def test_csv_column_without_values_is_left_out(tmp_path: Path) -> None:
    assert types_of(make_csv(tmp_path, "a,b,y\n,1,1\n,2,2\n")) == {"b": "INT", "y": "FLOAT"}


def test_csv_names_become_signature_names_and_settings_take_either_spelling(tmp_path: Path) -> None:
    text = "trip miles,2nd,ride id,\u00fcber,fare ($)\n1,2,a,3,4\n5,6,b,7,8\n"
    examples = make_csv(tmp_path, text, label="fare ($)", exclude=("ride_id",), text=("trip miles",))
    names = {column["name"]: column["source_name"] for column in examples.properties["columns"]}
    assert names == {"trip_miles": "trip miles", "_2nd": "2nd", "_ber": "über", "fare____": "fare ($)"}
    assert examples.label == "fare____"
    assert types_of(examples)["trip_miles"] == "BYTES"


def test_csv_reads_a_header_with_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    assert all_rows(make_csv(tmp_path, "\ufeffa,y\r\n1,2\r\n3,4\r\n")) == [{"a": 1, "y": 2.0}, {"a": 3, "y": 4.0}]


def test_csv_reads_a_header_with_blanks_and_a_column_without_a_name(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, ', x0, "x1", größe, $ , y\na, 1, 2, 3, 4, 5\nb, 1, 2, 3, 4, 5\n')
    assert types_of(examples) == {
        "column_1": "BYTES",
        "x0": "INT",
        "x1": "INT",
        "gr__e": "INT",
        "column_5": "INT",
        "y": "FLOAT",
    }
    assert all_rows(examples)[0] == {"column_1": b"a", "x0": 1, "x1": 2, "gr__e": 3, "column_5": 4, "y": 5.0}


def test_csv_reads_quoted_cells_and_skips_blank_lines(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, 'a,y\n"x, ""y""\nz",1\n\n"w",2\n\n\nv,3\n')
    assert [row["a"] for row in all_rows(examples)] == [b'x, "y"\nz', b"w", b"v"]
    assert [locate(examples, "train", 0), locate(examples, "train", 1)] == ["rides.csv:2", "rides.csv:5"]
    assert locate(examples, "eval", 0) == "rides.csv:8"


def test_csv_reads_rows_longer_than_a_block(tmp_path: Path) -> None:
    long = "x" * 3_000_000
    rows = all_rows(make_csv(tmp_path, f"a,y\nshort,1\n{long},2\nend,3\n"))
    assert [len(row["a"]) for row in rows] == [5, 3_000_000, 3]


def pack_with(codec: str) -> Any:
    def pack(content: bytes) -> bytes:
        packed = pa.BufferOutputStream()
        with pa.CompressedOutputStream(packed, codec) as stream:
            stream.write(content)
        return packed.getvalue().to_pybytes()

    return pack


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", pack_with("zstd")), (".lz4", pack_with("lz4"))],
)
def test_csv_reads_compressed_files(tmp_path: Path, suffix: str, pack: Any) -> None:
    path = tmp_path / f"rides.csv{suffix}"
    path.write_bytes(pack(b"a,y\n1,2\n3,4\n"))
    examples = make(tmp_path, source="csv", input=str(path))
    assert all_rows(examples) == [{"a": 1, "y": 2.0}, {"a": 3, "y": 4.0}]
    assert locate(examples, "eval", 0) == f"rides.csv{suffix}:3"


def test_csv_reads_several_files_whose_columns_stand_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("y,a\n3,4\n5,6\n")
    (tmp_path / "a.csv").write_text("a,y\n1,2\n")
    examples = make(tmp_path, source="csv", input=str(tmp_path / "*.csv"))
    assert all_rows(examples) == [{"a": 1, "y": 2.0}, {"a": 4, "y": 3.0}, {"a": 6, "y": 5.0}]
    assert locate(examples, "eval", 0) == "b.csv:3"


def numbers(rows: int) -> list[str]:
    return ["miles,riders,y"] + [f"{n}.5,{n},{n}" for n in range(rows)]


FAULTS = {
    "text in a numeric column": (
        "\n".join([*numbers(3000)[:2000], "", "1.5,abc,3", *numbers(10)[1:]]),
        r"`rides.csv:2002`: `riders` is 'abc', expected a whole number. Fix the cell, or name the column in "
        r"`example_gen.text` or `example_gen.exclude`.",
    ),
    "text in a numeric column after a quoted line break": (
        "\n".join(["a,miles,y", '"x\ny",1.5,1', *["z,2.5,2"] * 300, "z,abc,3"]),
        r"`rides.csv:304`: `miles` is 'abc', expected a number. Fix the cell",
    ),
    "text in the label": (
        "a,y\n1,2\n2,x\n" + "1,2\n" * 200,
        r"`rides.csv:3`: `y` is 'x', expected a number. Fix the cell.$",
    ),
    "text with the words of Arrow's error for long rows": (
        "a,y\n1,1\n" + "straddling object,2\n" + "1,2\n" * 200,
        r"`rides.csv:3`: `a` is 'straddling object', expected a whole number",
    ),
    "short row": (
        "\n".join([*numbers(2000)[:1500], "1.5,2", *numbers(5)[1:]]),
        r"`rides.csv:1501` is a short row: it has 2 cells, the header has 3 columns. Fix the row",
    ),
    "long row": (
        "\n".join([*numbers(2000)[:1500], "1.5,2,3,4", *numbers(5)[1:]]),
        r"`rides.csv:1501` is a long row: it has 4 cells, the header has 3 columns",
    ),
    "header only": (
        "a,y\n",
        r"No row is in `rides.csv`, only a header or nothing. Expected at least two rows. Name",
    ),
    "empty file": ("", r"rides.csv` is empty. Expected a header line"),
    "blank lines only": ("\n\n", r"rides.csv` is empty. Expected a header line"),
    "no label column": (
        "miles,fair\n1,2\n",
        r"`rides.csv:1` has no column `y`, the label. The columns of `rides.csv:1` are: `miles`, `fair`. Name the",
    ),
    "semicolons": (
        "a;y\n1;2\n",
        r"`rides.csv:1` has one column, `a;y`. Expected commas between cells; are there semicolons",
    ),
    "header that is not UTF-8": (
        b"\xe9,y\n1,2\n",
        r"`rides.csv:1`, the header, is not UTF-8 .byte 0xe9; as cp1252 it is 'é,y'.. Set `example_gen.encoding`",
    ),
    "open quote": ('a,y\n"x,1\n2,3\n', r"`rides.csv:2` is a short row: it has 1 cell, the header has 2 columns"),
    "two columns of one name": ("a,a,y\n1,2,3\n", r"`rides.csv:1` has column `a` more than once"),
    "two columns that become one": (
        "a b,a_b,y\n1,2,3\n",
        r"`rides.csv:1`: columns `a b`, `a_b` become one name, `a_b`",
    ),
    "text that is not UTF-8": (
        b"a,y\nok,1\n\xff\xfe,2\n",
        r"`rides.csv:3`: `a` is not UTF-8 \(byte 0xff; as cp1252 it is 'ÿþ'\)\. Set `example_gen.encoding`",
    ),
    "later boolean": (
        "a,y\n" + "true,1\n" * 10_000 + "maybe,1\n",
        r"`rides.csv:10002`: `a` is 'maybe', expected true or false",
    ),
    "later time": (
        "a,y\n" + "2026-01-01,1\n" * 10_000 + "soon,1\n",
        r"`rides.csv:10002`: `a` is 'soon', expected a date or time in ISO 8601",
    ),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_csv_fault_is_named_with_its_line_and_leaves_nothing(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_csv(tmp_path, text)
    left = [path for path in (tmp_path / "examples-0").rglob("*") if path.is_file()]
    assert left == []


def test_csv_refuses_files_with_other_columns_a_missing_file_and_a_broken_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,y\n1,2\n")
    (tmp_path / "b.csv").write_text("b,y\n1,2\n")
    with pytest.raises(DataError, match=r"`b.csv:1` has other columns than `a.csv`: missing: `a`; extra: `b`"):
        make(tmp_path, source="csv", input=str(tmp_path / "*.csv"))
    with pytest.raises(DataError, match=r"No file is at `.*c.csv`. Name an existing file.*holds: a.csv, b.csv"):
        make(tmp_path, source="csv", input=str(tmp_path / "c.csv"))
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"a,y\n1,2\n")[:-6])
    with pytest.raises(PipelineError, match=r"d.csv.gz` cannot be read: .* Write the file again"):
        make(tmp_path, source="csv", input=str(tmp_path / "d.csv.gz"))


def test_csv_lists_all_unknown_columns_of_settings_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        make_csv(tmp_path, "miles,zone,y\n1,a,2\n", exclude=("mile",), text=("zones", "y"), numeric=("q",))
    sentence = str(caught.value)
    assert "`example_gen.exclude` names `mile`, which is not a column. Did you mean `miles`?" in sentence
    assert "`example_gen.text` names `zones`, which is not a column. Did you mean `zone`?" in sentence
    assert "`example_gen.numeric` names `q`, which is not a column" in sentence
    assert "`example_gen.text` names `y`, the label, which must be a number" in sentence
    assert caught.value.exit_code == 2


def test_csv_reads_a_header_longer_than_a_block_of_arrow(tmp_path: Path) -> None:
    names = [f"{'n' * 990}{number}" for number in range(1200)]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([",".join([*names, "y"]), *[",".join(["1"] * 1201)] * 3]))
    source = plan_csv([path], ExampleGenParams(source="csv", input=str(path)))
    assert sum(batch.rows.num_rows for batch in source.read(0, 1)) == 3


@pytest.mark.parametrize("named", ["wide.csv", "wide.csv.gz"])
def test_csv_names_the_line_of_a_row_that_is_too_long(tmp_path: Path, named: str) -> None:
    path = tmp_path / named
    with pa.output_stream(str(path), compression="detect") as stream:
        stream.write(b"x,y\n1,2\n")
        for _ in range(40):
            stream.write(b"1" * 1_000_000)
    with pytest.raises(DataError, match=f"`{named}:3` begins a row of more than 32 MiB, the most that a row may have."):
        plan_csv([path], ExampleGenParams(source="csv", input=str(path)))


def test_csv_quotes_few_columns_and_the_start_of_a_cell(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(",".join(f"c{n}" for n in range(100_000)) + "\n")
    (tmp_path / "long.csv").write_text("x,y\n1," + "q" * 1_000_000 + "\n2,3\n")
    (tmp_path / "name.csv").write_text("x" * 2_000_000 + ",y\n1,2\n")
    for name, sentence in (
        ("wide", r"`c19`, \.\.\. \(100,000 in all\)\. Name the label"),
        ("long", r"`long.csv:2`: `y` is 'q{60}\.\.\.', expected a number"),
        (
            "name",
            r"`name.csv:1` has a column whose name has 2,000,000 characters and begins `x{60}\.\.\.`\. A name has",
        ),
    ):
        path = tmp_path / f"{name}.csv"
        with pytest.raises(DataError, match=sentence) as caught:
            source = plan_csv([path], ExampleGenParams(source="csv", input=str(path)))
            list(source.read(0, 1))
        assert len(str(caught.value)) < 500


LINES = [f"{n},w{n % 3},{2 * n}" for n in range(40)]


@pytest.mark.parametrize("blank", [" ", "   ", "\t", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("places", [[0], [1], [11], [41], [0, 1, 11, 12, 41]])
def test_lines_of_blanks_are_passed_over_as_empty_ones_are(
    tmp_path: Path, blank: str, end: str, places: list[int]
) -> None:
    lines = ["x,t,y", *LINES]
    for place in reversed(places):
        lines.insert(place, blank)
    for name, text in (("rides.csv", end.join([*lines, ""])), ("open.csv", end.join(lines))):
        (tmp_path / name).write_bytes(text.encode())
        source = plan_csv([tmp_path / name], ExampleGenParams(source="csv", input="rides.csv"))
        (batch,) = source.read(0, 1)
        assert batch.rows["x"].to_pylist() == list(range(40))
        assert batch.rows["t"].to_pylist() == [b"w%d" % (n % 3) for n in range(40)]
        assert source.place(0, 39) == f"`{name}:{41 + sum(place <= 40 for place in places)}`"


@pytest.mark.parametrize(
    ("text", "settings", "rows"),
    [
        ("x\ty\n1\t2\n   \n\t\n3\t4\n", {"delimiter": "\t"}, [1, None, 3]),  # a line of delimiters is a row
        ("x y\n1 2\n\t\n \n3 4\n", {"delimiter": " "}, [1, None, 3]),
        ('x,y\n1,"2"\n  \n,\n3,4\n', {}, [1, None, 3]),
        ("  \n# a\n \nx,y\n1,2\n \n# b\n3,4\n", {"comment": "#"}, [1, 3]),
        ("note\n\n  \nx,y\n1,2\n  \n3,4\n", {"skip_rows": 1}, [1, 3]),
        ("  \n1,2\n  \n3,4\n", {"header": False, "names": ("x", "y")}, [1, 3]),
        ("  \na,b\n1,2\n  \n3,4\n", {"names": ("x", "y")}, [1, 3]),
    ],
)
def test_a_line_of_blanks_is_none_of_delimiters_whatever_else_is_left_out(
    tmp_path: Path, text: str, settings: dict[str, Any], rows: list[int | None]
) -> None:
    (tmp_path / "rides.csv").write_text(text)
    source = plan_csv([tmp_path / "rides.csv"], ExampleGenParams(source="csv", input="rides.csv", **settings))
    assert [x for batch in source.read(0, 1) for x in batch.rows["x"].to_pylist()] == rows


def test_in_a_file_of_one_column_a_line_of_blanks_is_a_hole(tmp_path: Path) -> None:
    (tmp_path / "rides.csv").write_text("  \ny\n1\n  \n3\n")
    source = plan_csv([tmp_path / "rides.csv"], ExampleGenParams(source="csv", input="rides.csv"))
    assert [y for batch in source.read(0, 1) for y in batch.rows["y"].to_pylist()] == [1, None, 3]
    assert source.place(0, 2) == "`rides.csv:5`"
