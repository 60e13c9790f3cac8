"""New names are refused where it would be unclear which column they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.naming import name_columns
from crossnet.components.sources.renames import problems_of_renames
from support.example_gen_fixtures import all_rows, make, make_csv, rows_of

ROWS = "Trip Miles,zone, fare\n" + "".join(f"{i},{'ab'[i % 2]},{2 * i}\n" for i in range(60))
NAMES = {"Trip Miles": "miles", "fare": "amount"}


def test_settings_name_a_renamed_column_by_either_name() -> None:
    header = ["Trip Miles", "zone", " fare"]
    new = ExampleGenParams(rename=NAMES, label="amount", numeric=("miles",), split="key", split_column="zone")
    named = name_columns(header, new, "rides.csv:1")
    assert named.names == {"Trip Miles": "miles", "zone": "zone", " fare": "amount"}
    for label, miles in (("fare", "Trip Miles"), (" fare", "Trip_Miles")):
        old = ExampleGenParams(rename=NAMES, label=label, numeric=(miles,), split="key", split_column="zone")
        assert name_columns(header, old, "rides.csv:1") == named


@pytest.mark.parametrize(
    ("rename", "sentence"),
    [
        ({"Trip Mile": "miles"}, "names `Trip Mile`, which is not a column. Did you mean `Trip Miles`?"),
        ({"Trip Miles": "zone"}, "gives `Trip Miles` the name `zone`, which another column has, `zone`. Choose"),
        ({"zone": "Trip_Miles"}, "gives `zone` the name `Trip_Miles`, which another column has, `Trip Miles`."),
        ({"Trip Miles": "zone", "zone": "other"}, "the name `zone`, which another column has"),
        ({"Trip Miles": "a", "Trip_Miles": "b"}, "names the column `Trip Miles` twice, as `Trip Miles` and `Trip_Mil"),
    ],
)
def test_new_names_that_are_unclear_are_refused(rename: dict[str, str], sentence: str) -> None:
    problems = problems_of_renames(["Trip Miles", "zone"], rename)
    assert len(problems) == 1
    assert sentence in problems[0]
    with pytest.raises(SettingsError, match=r"`example_gen\.rename` .* The columns of `rides.csv:1` are: `Trip Miles`"):
        name_columns(["Trip Miles", "zone"], ExampleGenParams(rename=rename, label="zone"), "rides.csv:1")


def test_a_column_may_get_the_name_that_its_header_becomes_anyway() -> None:
    assert problems_of_renames(["Trip Miles"], {"Trip Miles": "Trip_Miles"}) == []


def test_two_headers_that_become_one_name_are_told_apart_by_a_new_name() -> None:
    header = ["a b", "a_b", "y"]
    with pytest.raises(DataError, match=r"become one name, `a_b`.* in `example_gen.rename`\.$"):
        name_columns(header, ExampleGenParams(), "rides.csv:1")
    named = name_columns(header, ExampleGenParams(rename={"a b": "c"}), "rides.csv:1")
    assert named.names == {"a b": "c", "a_b": "a_b", "y": "y"}


def test_records_have_the_new_names_and_a_row_keeps_its_split(tmp_path: Path) -> None:
    settings = {"split": "hash", "eval_fraction": 0.4}
    before = make_csv(tmp_path, ROWS, label="fare", **settings)
    after = make_csv(tmp_path, ROWS, label="amount", rename=NAMES, **settings)
    assert set(all_rows(after)[0]) == {"miles", "zone", "amount"}
    for split in ("train", "eval"):
        old = [(row["Trip_Miles"], row["fare"]) for row in rows_of(before, split)]
        assert old
        assert [(row["miles"], row["amount"]) for row in rows_of(after, split)] == old
    assert (after.label, after.column_rules.rename) == ("amount", {"Trip Miles": "miles", " fare": "amount"})
    assert after.column_rules.not_features == {" fare": "label"}
    less = make_csv(tmp_path, ROWS, label="fare", exclude=["zone"], weight="Trip Miles", **settings)
    assert less.column_rules.not_features == {" fare": "label", "zone": "excluded", "Trip Miles": "weight"}


def test_columns_that_are_not_features_are_recorded_in_one_order(tmp_path: Path) -> None:
    content = "a,b,c,y\n" + "1,2,3,4\n" * 20
    there, back = (make_csv(tmp_path, content, exclude=names).column_rules for names in (["a", "b"], ["b", "a"]))
    assert (
        there.to_json()
        == back.to_json()
        == ('{\n  "not_features": {\n    "a": "excluded",\n    "b": "excluded",\n    "y": "label"\n  }\n}\n')
    )


@pytest.mark.parametrize("where", ["miles > 10", '"Trip Miles" > 10', "Trip_Miles > 10"])
def test_every_setting_finds_a_renamed_column(where: str, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    examples = make_csv(
        tmp_path, ROWS, label="Trip_Miles", weight="fare", group="z", rename={**NAMES, "zone": "z"}, where=where
    )
    assert (examples.label, examples.weight, examples.group) == ("miles", "amount", "z")
    assert [row["miles"] for row in all_rows(examples)] == list(range(11, 60))


def test_columns_of_hive_folders_and_of_synthetic_rows_are_renamed(tmp_path: Path) -> None:
    for year in (2024, 2025):
        (tmp_path / f"Year={year}").mkdir()
        (tmp_path / f"Year={year}" / "p.csv").write_text(f"Trip Miles,fare\n1,2\n3,{year}\n")
    rename = {"Year": "vintage", "Trip Miles": "miles"}
    hive = make(tmp_path, source="csv", input=str(tmp_path), label="fare", rename=rename, text=("vintage",))
    assert all_rows(hive)[0] == {"miles": 1, "fare": 2, "vintage": b"2024"}
    synthetic = make(tmp_path, source="synthetic", num_examples=10, rename={"x0": "first", "y": "label"}, label="y")
    assert set(all_rows(synthetic)[0]) == {"first", "x1", "x2", "label"}
