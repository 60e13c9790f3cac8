import gzip
import json

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.pipeline.init.tables import column_names, find_table, plan_table, read_table, resolve_label

ROWS = pa.table({"trip miles": [1.5, None], "zone": ["a", "b"], "y": [1, 2]})


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if "csv" in path.name or path.suffix == ".txt":
        path.write_text("trip miles,zone,y\n1.5,a,1\n,b,2\n")
    elif "jsonl" in path.name:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS.to_pylist()))
    elif path.suffix in (".feather", ".arrow") or path.name.startswith("arrow"):
        feather.write_feather(ROWS, path)
    else:
        pq.write_table(ROWS, path)
    return path


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.csv", "csv"),
        ("a.txt", "csv"),
        ("a.pq", "parquet"),
        ("a.parquet", "parquet"),
        ("parquet_it_is", "parquet"),
        ("a.jsonl", "jsonl"),
        ("a.feather", "arrow"),
        ("a.arrow", "arrow"),
        ("arrow_it_is", "arrow"),
    ],
)
def test_the_format_is_known_by_ending_or_first_bytes(tmp_path, name, source):
    table = find_table(write(tmp_path / name))
    assert (table.source, table.files) == (source, (tmp_path / name,))
    assert column_names(table) == ["trip miles", "zone", "y"]


def test_the_first_bytes_tell_the_format_where_the_ending_tells_another(tmp_path):
    pq.write_table(ROWS, tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text('{"trip miles": 1.5, "zone": "a", "y": 1}\n')
    (tmp_path / "c.pkl").write_bytes(b"\x80\x04\x95\x0a\0\0\0\0\0\0\0" + bytes(20))
    assert [find_table(tmp_path / name).source for name in ("a.csv", "b.csv")] == ["parquet", "jsonl"]
    with pytest.raises(DataError, match=r"c.pkl` is a pickle of Python, not a CSV file. Write its rows as Parquet"):
        column_names(find_table(tmp_path / "c.pkl"))


def test_a_source_that_is_named_is_taken(tmp_path):
    assert find_table(write(tmp_path / "a.csv"), "csv").source == "csv"
    with pytest.raises(SettingsError, match=r"`.*a\.csv` is xml, which is not read\. Expected csv, parquet"):
        find_table(tmp_path / "a.csv", "xml")


def test_a_folder_and_a_glob_are_tables(tmp_path):
    for name in ("a/1.csv", "a/2.csv", "a/.hidden", "a/_SUCCESS", "b/x=1/p.parquet", "b/x=2/p.parquet"):
        write(tmp_path / name) if "." in name.rpartition("/")[2][1:] else (tmp_path / name).write_text("")
    assert find_table(tmp_path / "a").files == (tmp_path / "a/1.csv", tmp_path / "a/2.csv")
    assert find_table(tmp_path / "a").input == str(tmp_path / "a/*.csv")
    assert find_table(tmp_path / "a" / "*.csv").files == (tmp_path / "a/1.csv", tmp_path / "a/2.csv")
    assert [file.parent.name for file in find_table(tmp_path / "b").files] == ["x=1", "x=2"]


def test_each_file_of_a_folder_is_of_the_table_or_is_said(tmp_path):
    for name in ("a/1.csv", "a/2.txt", "b/1.csv", "b/2.csv"):
        write(tmp_path / name)
    (tmp_path / "b/README.md").write_text("About these rides")
    (tmp_path / "a/3.csv.gz").write_bytes(gzip.compress(write(tmp_path / "c.csv").read_bytes()))
    both = find_table(tmp_path / "a")
    assert (both.input, len(both.files), both.others) == (str(tmp_path / "a"), 3, ())
    table = find_table(tmp_path / "b")
    assert (table.input, len(table.files)) == (str(tmp_path / "b/*.csv"), 2)
    assert table.others == (tmp_path / "b/README.md",)
    (tmp_path / "a/README.md").write_text("About these rides")
    with pytest.raises(SettingsError, match=r"has files with several endings: \.csv, \.csv\.gz, \.txt, and others"):
        find_table(tmp_path / "a")


def test_a_folder_of_splits_keeps_them(tmp_path):
    write(tmp_path / "t/train/a.csv"), write(tmp_path / "t/eval/a.csv")
    table = find_table(tmp_path / "t")
    assert (table.split, table.input, len(table.files)) == ("folders", str(tmp_path / "t"), 2)


def test_what_is_not_a_table_is_said(tmp_path):
    with pytest.raises(SettingsError, match=r"No file is at `.*none\.csv`\. Name a table"):
        find_table(tmp_path / "none.csv")
    with pytest.raises(SettingsError, match=r"No file matches `.*\*\.csv`"):
        find_table(tmp_path / "*.csv")
    with pytest.raises(SettingsError, match=r"holds no files"):
        find_table(tmp_path)
    write(tmp_path / "a.csv"), write(tmp_path / "b.parquet")
    with pytest.raises(SettingsError, match=r"files of several formats: csv, parquet"):
        find_table(tmp_path)


@pytest.mark.parametrize("label", ["trip miles", "trip_miles"])
def test_the_label_may_have_either_spelling(tmp_path, label):
    table = find_table(write(tmp_path / "a.csv"))
    assert resolve_label(table, label, column_names(table)) == "trip miles"
    with pytest.raises(SettingsError, match=r"`a\.csv` has no column `trip`\..* Its columns are: `trip miles`, `zone`"):
        resolve_label(table, "trip", column_names(table))


def test_a_column_without_a_name_is_listed_as_the_config_will_name_it(tmp_path):
    (tmp_path / "a.csv").write_text(",fare\n1,2\n")
    table = find_table(tmp_path / "a.csv")
    with pytest.raises(SettingsError, match=r"Its columns are: `column_1`, `fare`\. Name the column"):
        resolve_label(table, "fares", column_names(table))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_all_rows_are_read_with_their_place(tmp_path, name):
    table = find_table(write(tmp_path / name))
    ((unit, row, columns),) = read_table(plan_table(table, "y", {}))
    assert (unit, row) == (0, 0)
    assert columns["trip miles"].null_count == 1
    assert columns["zone"].to_pylist() == [b"a", b"b"]


def test_a_file_that_is_not_a_table_is_refused_in_words(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        column_names(find_table(tmp_path / "a.csv"))


def test_rows_that_an_open_quote_took_are_found_while_the_table_is_read(tmp_path):
    rows = [*("a,1,2" for _ in range(9)), '"b,1,2', *("a,3,4" for _ in range(9)), '5" pipe,1,2']
    (tmp_path / "a.csv").write_text("\n".join(["name,km,y", *rows, ""]))
    table = find_table(tmp_path / "a.csv")
    doubts = []
    assert sum(len(cells["y"]) for _, _, cells in read_table(plan_table(table, "y", {}), doubts)) == 10
    assert [doubt.text for doubt in doubts] == [
        "holds a cell with 10 lines that seem to be rows (a.csv:11): is a quote left open there?"
    ]
