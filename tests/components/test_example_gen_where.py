import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.engines.local import LocalEngine
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.sources.provenance import locate
from support.example_gen_fixtures import make, make_csv, rows_of

pytest.importorskip("duckdb", reason="the extra sql is not installed")

RIDES = "state,zone,trip miles,pickup,y\n" + "".join(
    f"{'ok' if n % 3 else 'lost'},{'ab'[n % 2]},{n / 10},2026-01-{n % 28 + 1:02},{n}\n" for n in range(1000)
)
KEPT = [n for n in range(1000) if n % 3 and n / 10 > 5]
WHERE = "state = 'ok' AND \"trip miles\" > 5"


def labels(examples):
    return sorted(row["y"] for split in examples.counts for row in rows_of(examples, split))


@pytest.mark.parametrize("split", ["order", "random", "hash"])
def test_rows_of_which_the_condition_is_not_true_are_left_out_before_the_split(tmp_path, split):
    examples = make_csv(tmp_path, RIDES, where=WHERE, exclude=("state",), split=split)
    assert labels(examples) == KEPT
    assert [column.name for column in examples.columns] == ["zone", "trip_miles", "pickup", "y"]
    assert examples.properties["dropped"]["where"]["rows"] == 1000 - len(KEPT)
    (note,) = [note for note in examples.properties["notes"] if "where" in note]
    assert note.startswith(f"{1000 - len(KEPT)} of 1,000 rows of `rides.csv` are not as `example_gen.where` wants them")
    for split_name in examples.counts:
        for number, row in enumerate(rows_of(examples, split_name)[:20]):
            assert locate(examples, split_name, number) == f"rides.csv:{int(row['y']) + 2}"


def test_a_row_keeps_its_split_when_others_are_left_out(tmp_path):
    every = make_csv(tmp_path, RIDES, split="hash")
    some = make_csv(tmp_path, RIDES, split="hash", where=WHERE)
    held = {row["y"] for row in rows_of(every, "eval")}
    assert {row["y"] for row in rows_of(some, "eval")} == held & set(KEPT)


def test_times_and_truth_are_what_they_were_in_the_source(tmp_path):
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(n) for n in range(40)]
    table = pa.table({"day": days, "paid": [n % 2 == 0 for n in range(40)], "n": range(40), "y": [1.0] * 40})
    pq.write_table(table, tmp_path / "rides.parquet")
    of_parquet = {"source": "parquet", "input": str(tmp_path / "rides.parquet"), "exclude": ("day",)}
    examples = make(tmp_path, **of_parquet, where="day >= '2026-02-01' AND paid")
    assert sorted(row["n"] for split in examples.counts for row in rows_of(examples, split)) == [32, 34, 36, 38]
    text = "day,paid,n,y\n" + "".join(f"{day},{['true', 'false'][n % 2]},{n},1\n" for n, day in enumerate(days))
    examples = make_csv(tmp_path, text, where="year(day) = 2026 AND month(day) = 2 AND NOT paid")
    assert sorted(row["n"] for split in examples.counts for row in rows_of(examples, split)) == [31, 33, 35, 37, 39]


def test_synthetic_rows_can_be_chosen_too(tmp_path):
    examples = make(tmp_path, num_examples=500, where="x0 > 0.5 AND X1 < 0.5", exclude=("x1",))
    assert 0 < sum(examples.counts.values()) < 500
    assert all(row["x0"] > 0.5 and "x1" not in row for row in rows_of(examples, "train"))


def test_several_processes_leave_out_the_same_rows(tmp_path):
    folder = tmp_path / "rides"
    folder.mkdir()
    for part in range(2):
        lines = RIDES.splitlines()[1:]
        (folder / f"{part}.csv").write_text("\n".join([RIDES.splitlines()[0], *lines[part * 500 : part * 500 + 500]]))
    settings = {"source": "csv", "input": str(folder / "*.csv"), "where": WHERE, "split": "random"}
    with LocalEngine(2, least_bytes=0) as engine:
        assert labels(make(tmp_path, engine=engine, **settings)) == KEPT


def test_a_time_split_looks_at_no_row_that_is_left_out(tmp_path):
    content = "pickup,y\n" + "".join(f"{'' if n % 5 == 0 else 1000 + n},{n}\n" for n in range(100))
    with_time = {"where": "pickup IS NOT NULL", "split": "time", "split_column": "pickup"}
    examples = make_csv(tmp_path, content, **with_time)
    assert labels(examples) == [n for n in range(100) if n % 5]
    assert [row["y"] for row in rows_of(examples, "eval")] == [91, 92, 93, 94, 96, 97, 98, 99]
    with pytest.raises(DataError, match="`rides.csv:2`: the split column is '', expected a number"):
        make_csv(tmp_path, content, **{**with_time, "where": "y >= 0"})


@pytest.mark.parametrize(
    ("where", "error", "sentence"),
    [
        ("zon = 'a'", SettingsError, r"`example_gen.where` names `zon`, which is not a column. Did you mean `zone`\?"),
        ("current_date > pickup", SettingsError, "`example_gen.where` names `current_date`, which is not a column."),
        ("zone = ", SettingsError, "which does not parse: "),
        ("zone", SettingsError, "which gives VARCHAR. Expected a condition"),
        ("y > avg(y)", SettingsError, "which uses `avg`, a function of the kind aggregate"),
        ("y < 0", DataError, "`example_gen.where` is true for none of the 1,000 rows of `rides.csv`"),
        ("100 / CAST(zone AS INTEGER) > 1", DataError, "`rides.csv:2`: `example_gen.where` cannot be evaluated: .*'a'"),
    ],
)
def test_a_condition_that_is_wrong_is_one_sentence(tmp_path, where, error, sentence):
    with pytest.raises(error, match=sentence):
        make_csv(tmp_path, RIDES, where=where)


def test_a_label_that_is_filtered_away_entirely_is_told(tmp_path):
    content = "zone,y\n" + "a,1\nb,\n" * 10
    with pytest.raises(DataError, match="All 10 rows that are left of 20 of `rides.csv` have an empty label, `y`"):
        make_csv(tmp_path, content, where="zone = 'b'")


def test_columns_that_differ_in_capitals_alone_are_told_apart_or_refused(tmp_path):
    content = "Zone,zone,y\n" + "a,b,1\nb,a,2\n" * 10
    assert set(labels(make_csv(tmp_path, content, where="Zone = 'a'"))) == {1}
    with pytest.raises(SettingsError, match="`Zone` and `zone`, which SQL does not tell apart"):
        make_csv(tmp_path, content, where="Zone = 'a' AND zone = 'b'")
    with pytest.raises(SettingsError, match="`example_gen.where` names `ZONE`, which is not a column"):
        make_csv(tmp_path, content, where="ZONE = 'a'")


def test_a_column_that_is_empty_in_all_rows_that_are_left_is_not_written(tmp_path):
    content = "zone,n,y\n" + "a,1,1\n,2,2\n" * 20
    examples = make_csv(tmp_path, content, where="zone IS NULL")
    assert [column.name for column in examples.columns] == ["n", "y"]
    assert set(labels(examples)) == {2}
