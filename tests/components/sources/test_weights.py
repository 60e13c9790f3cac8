from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.features import read_schema
from support.example_gen_fixtures import all_rows, make, make_csv, rows_of
from support.validation_walk import csv_walk


def table(weight: str = "2") -> str:
    rows = [f"{n},g{n % 40},{n % 7},{n / 4}" for n in range(400)]
    rows[17] = f"17,g17,{weight},4.25"
    return "x,clinic,w,y\n" + "\n".join(rows) + "\n"


def test_weights_are_kept_as_floats_and_are_marked(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, table("0"), weight="w", group="clinic")
    assert (examples.weight, examples.group, examples.extra) == ("w", "clinic", ("w", "clinic"))
    assert examples.column_types == {"x": "INT", "clinic": "BYTES", "w": "FLOAT", "y": "FLOAT"}
    assert [row["w"] for row in all_rows(examples)][15:20] == [1.0, 2.0, 0.0, 4.0, 5.0]


def test_a_column_without_a_name_is_neither_weight_nor_group(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "x, ,y\n" + "".join(f"{n},{-n},{n}\n" for n in range(20)))
    assert (examples.weight, examples.group) == ("", "")
    assert examples.column_types == {"x": "INT", "column_2": "INT", "y": "FLOAT"}


@pytest.mark.parametrize(
    ("weight", "said"), [("-1", "'-1'"), ("-0.163", "'-0.163'"), ("", "empty"), ("inf", "'inf'"), ("nan", "'nan'")]
)
def test_a_weight_that_is_not_a_number_of_at_least_0_is_refused_with_its_row(
    tmp_path: Path, weight: str, said: str
) -> None:
    wanted = f"`rides.csv:19`: the weight `w` is {said}. Expected a number of at least 0; a row of weight 0 does not"
    with pytest.raises(DataError, match=wanted):
        make_csv(tmp_path, table(weight), weight="w")


def test_a_word_that_makes_a_weight_missing_is_named(tmp_path: Path) -> None:
    wanted = "`rides.csv:19`: the weight `w` is 'NA', which is a missing value. Expected a number of at least 0"
    with pytest.raises(DataError, match=re.escape(wanted)):
        make_csv(tmp_path, table("NA"), weight="w", null_values=("", "NA"))


def written(folder: Path, source: str, weights: list[Any]) -> Path:
    """Writes rows of a weight `w` and a label `y` in a source's format."""
    path, ys = folder / f"rides.{source}", [float(n) for n in range(len(weights))]
    if source == "csv":
        path.write_text("\n".join(["w,y", *(f"{w},{y}" for w, y in zip(weights, ys, strict=True))]) + "\n")
    elif source == "jsonl":
        path.write_text("".join(json.dumps({"w": w, "y": y}) + "\n" for w, y in zip(weights, ys, strict=True)))
    else:
        pq.write_table(pa.table({"w": weights, "y": ys}), path)
    return path


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("weight", [1e-300, 1e-45, 1e39, 1e300])
def test_a_weight_that_float32_does_not_hold_is_refused(tmp_path: Path, source: str, weight: float) -> None:
    path = written(tmp_path, source, [1.5] * 9 + [weight])
    said = (
        rf"the weight `w` is {re.escape(f'{weight:g}')}, which float32 does not hold. Expected 0, or a number from "
        r"1.2e-38 to 3.4e\+38. Multiply all weights by one number, or name another column in `example_gen.weight`."
    )
    with pytest.raises(DataError, match=said):
        make(tmp_path, source=source, input=str(path), weight="w", split="order")


def test_the_smallest_and_the_largest_weights_of_float32_are_kept(tmp_path: Path) -> None:
    rows = "\n".join(["x,w,y", *(f"{n},{('1.2e-38', '3.4e38', '0')[n % 3]},{n}" for n in range(60))])
    found = {row["w"] for row in all_rows(make_csv(tmp_path, rows, weight="w"))}
    assert found == {float(np.float32(w)) for w in (1.2e-38, 3.4e38, 0.0)}


@pytest.mark.parametrize("value", ["{}", "user {}"])
def test_a_group_of_one_row_each_is_a_doubt(tmp_path: Path, value: str) -> None:
    rows = [f"{n},{value.format(n)},{n % 7}" for n in range(60)]
    examples = make_csv(tmp_path, "\n".join(["x,user,y", *rows]), group="user")
    said = "has another value in each of the first 60 rows: groups of one row group nothing; name another column in "
    assert [doubt["text"] for doubt in examples.properties["doubts"]] == [
        f"{said}`example_gen.group`, or leave the setting out"
    ]
    rows[59] = f"59,{value.format(0)},3"
    again = make_csv(tmp_path, "\n".join(["x,user,y", *rows]), group="user")
    assert "doubts" not in again.properties or not again.properties["doubts"]


def test_a_row_that_is_left_out_may_have_any_weight(tmp_path: Path) -> None:
    text = table().replace("17,g17,2,4.25", "17,g17,-1,")
    assert sum(make_csv(tmp_path, text, weight="w").counts.values()) == 399


@pytest.mark.parametrize("split", ["hash", "random"])
def test_a_group_is_in_one_split(tmp_path: Path, split: str) -> None:
    examples = make_csv(tmp_path, table(), split=split, group="clinic", test_fraction=0.3, eval_fraction=0.2)
    groups = [{row["clinic"] for row in rows_of(examples, name)} for name in ("train", "eval", "test")]
    assert all(groups)
    assert sum(map(len, groups)) == 40
    kept = make_csv(tmp_path, table(), split=split, group="clinic", exclude=("x", "clinic"))
    assert set(kept.column_types) == {"clinic", "w", "y"}


def test_weight_and_group_are_no_features_and_no_anomalies(tmp_path: Path) -> None:
    columns = ["miles,clinic,w,fare", *(f"{n % 10},g{n // 10},{n % 7},{n}" for n in range(400))]
    settings: dict[str, Any] = {"weight": "w", "group": "clinic", "split": "hash"}
    made = csv_walk(tmp_path / "made", "\n".join(columns), **settings)
    features, label = read_schema(made.schema.proto())
    assert ([feature.name for feature in features], label.name) == (["miles"], "fare")
    assert {anomaly["column"] for anomaly in made.anomalies.anomalies} <= {"miles", "fare"}
    text = made.schema.path.joinpath("schema.pbtxt").read_text()
    again = csv_walk(tmp_path / "again", "\n".join(columns), schema=text, **settings)
    assert json.loads((again.anomalies.path / "anomalies.json").read_text())["anomalies"] == made.anomalies.anomalies
    unmarked = text.replace('  not_in_environment: "TRAINING"\n', "", 1)
    with pytest.raises(DataError, match="which `example_gen.weight` or `example_gen.group` names, needs"):
        csv_walk(tmp_path / "unmarked", "\n".join(columns), schema=unmarked, **settings)


def test_rows_that_differ_in_weight_and_group_alone_repeat(tmp_path: Path) -> None:
    rows = ["miles,clinic,w,fare", *(f"{n % 200},g{n},{n},{n % 200}" for n in range(400))]
    made = csv_walk(tmp_path, "\n".join(rows), weight="w", group="clinic")
    assert ("", "", "duplicate_rows", "warning", 200, "rides.csv:202") in made.found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"weight": "ww"}, r"`example_gen.weight` names `ww`, which is not a column. Did you mean `w`\?"),
        ({"group": "clinics"}, r"`example_gen.group` names `clinics`, which is not a column. Did you mean `clinic`\?"),
        ({"weight": "y"}, "`example_gen.weight` names `y`, which is the label."),
        ({"weight": "w", "group": "w"}, "`example_gen.weight` and `example_gen.group` both name `w`."),
        ({"weight": "w", "text": ("w",)}, "`example_gen.weight` names `w`, which `example_gen.text` names too."),
    ],
)
def test_a_weight_or_group_that_cannot_be_one_is_refused(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        make_csv(tmp_path, table(), **settings)


def test_the_key_of_a_split_is_kept_for_the_gate_where_it_is_not_a_feature(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"split": "key", "split_column": "clinic"}
    left_out = make_csv(tmp_path, table(), exclude=("clinic",), **settings)
    assert (left_out.group, left_out.unit, left_out.extra) == ("clinic", "clinic", ("clinic",))
    assert all(row["clinic"] for row in rows_of(left_out, "eval"))
    feature = make_csv(tmp_path, table(), **settings)
    assert (feature.group, feature.unit, feature.extra) == ("", "clinic", ())
    assert make_csv(tmp_path, table(), split="hash").unit == ""


def test_a_group_without_a_value_is_refused(tmp_path: Path) -> None:
    rows = "\n".join(["x,clinic,y", *(f"{n},,{n % 7}" for n in range(60))])
    with pytest.raises(
        SettingsError, match="`example_gen.group` names `clinic`, which has no value in any row. Name a"
    ):
        make_csv(tmp_path, rows, split="order", group="clinic")


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
def test_a_weight_that_is_text_gets_advice_on_weights(tmp_path: Path, source: str) -> None:
    path = written(tmp_path, source, ["low"] * 30)
    said = r"`w` is 'low', .* Fix the \w+, or name another column, of numbers of at least 0, in `example_gen.weight`."
    with pytest.raises(DataError, match=said):
        make(tmp_path, source=source, input=str(path), weight="w")


@pytest.mark.parametrize("setting", ["weight", "group"])
def test_a_weight_or_group_of_lists_is_refused(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "rides.parquet"
    pq.write_table(pa.table({"l": [[1, 2]] * 30, "y": [float(n) for n in range(30)]}), path)
    said = f"`example_gen.{setting}` names `l`, which holds list<element: int64>. Expected one value per row"
    with pytest.raises(SettingsError, match=said):
        make(tmp_path, source="parquet", input=str(path), **{setting: "l"})


@pytest.mark.parametrize("setting", ["label", "weight", "group"])
def test_a_list_is_not_one_value(tmp_path: Path, setting: str) -> None:
    rows = [{"x": n % 7, "y": n, "w": 1, "g": n % 5} for n in range(30)]
    given = {"label": "y", "weight": "w", "group": "g"}
    rows[20][given[setting]] = [1, 2, 3]
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for row in rows:
            values = {name: value if isinstance(value, list) else [value] for name, value in row.items()}
            features = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=value)) for name, value in values.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    sentence = f"`a.tfrecord` record 20: `{given[setting]}`, the {setting}, holds a list of 3 values. Expected one"
    with pytest.raises(DataError, match=sentence):
        make(tmp_path, source="tfrecord", input=str(tmp_path / "a.tfrecord"), **given)


def test_a_label_of_lists_in_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(f'{{"x": {n}, "y": [{n}]}}\n' for n in range(9)))
    with pytest.raises(DataError, match="`a.jsonl:1`: `y`, the label, holds a list of 1 value. Expected one value"):
        make(tmp_path, source="jsonl", input=str(tmp_path / "a.jsonl"), label="y")


def test_rows_without_a_group_are_said(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'' if n % 7 == 3 else f'p{n % 20}'},{n}\n" for n in range(80))
    examples = make_csv(tmp_path, "x,g,y\n" + rows, label="y", group="g", split="hash")
    (doubt,) = examples.properties["doubts"]
    assert (doubt["column"], doubt["setting"]) == ("g", 'where = "\\"g\\" IS NOT NULL"')
    assert doubt["text"] == "has no value in some rows (first: rides.csv:5): they count as rows of one group"
    assert make_csv(tmp_path, "x,g,y\n" + rows.replace(",,", ",p1,"), label="y", group="g").properties["doubts"] == []


def test_a_column_without_a_name_has_no_doubts_of_groups(tmp_path: Path) -> None:
    rows = "".join(f"{n if n % 9 else ''},{n},{n}\n" for n in range(-30, 30))
    for text in (",x,y\n" + rows, ",x,y\n" + "".join(f"{n},{n},{n}\n" for n in range(60))):
        examples = make_csv(tmp_path, text)
        assert (examples.properties["doubts"], examples.group, examples.weight) == ([], "", "")


def test_a_column_of_lists_without_a_name_is_not_the_weight(tmp_path: Path) -> None:
    table = pa.table({"": [[1, 2]] * 30, "y": [float(n) for n in range(30)]})
    pq.write_table(table, tmp_path / "a.parquet")
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "a.parquet"))
    assert len(all_rows(examples)) == 30
