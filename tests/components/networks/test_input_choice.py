from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.errors import TrainingError
from crossnet.components.features import read_schema
from crossnet.components.networks.columns import KeyColumn, LeftOut, NumberColumn
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.setting import AUTO
from crossnet.components.params.trainer import TrainerParams
from support.training_fixtures import fitted, make_artifacts

SMALL = {
    "a": [0.0, 0.5, 1.0, -1.0],
    "b": [10.0, None, 14.0, 12.0],
    "n": [2007, 2008, 2009, 2008],
    "s": ["x", "y", "x", None],
    "y": [1000.0, 2000.0, 3000.0, 2000.0],
}
RICH = {
    "normalize": "robust",
    "number_bins": AUTO,
    "embed_whole_numbers": True,
    "min_count": AUTO,
    "date_parts": True,
    "clip_predictions": True,
}


def make(folder: Path, table: Any, **settings: Any) -> Preprocessing:
    return fitted(folder, table, settings=settings)


def rich(folder: Path, values: list[Any], **schema: Any) -> Preprocessing:
    """Returns what is seen of column `c` of a table under the settings of preset "table"."""
    label = [float(i) for i in range(len(values))]
    return fitted(folder, {"c": values, "y": label}, settings=RICH, **schema)


def test_auto_centres_every_column_and_divides_it_by_its_spread(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, SMALL)
    scaling = {column.name: (column.mean, round(column.scale, 6)) for column in preprocessing.numbers}
    assert scaling == {"a": (0.125, 0.73951), "b": (12.0, 1.632993), "n": (2008.0, 0.707107)}
    assert (preprocessing.label_mean, round(preprocessing.label_scale, 3)) == (2000.0, 707.107)


@pytest.mark.parametrize("rare", [1.0, -1.0])
def test_auto_keeps_rare_values_within_five_and_zscore_does_not(tmp_path: Path, rare: float) -> None:
    table = {"a": [0.0] * 399 + [rare], "y": [0.0, 1.0] * 200}
    columns = {"a": tf.constant([0.0, rare])}
    (auto,) = Transform(make(tmp_path / "1", table))(columns)
    np.testing.assert_allclose(auto[:, 0], [-rare * 5 / 399, rare * 5], rtol=1e-5)
    (zscore,) = Transform(make(tmp_path / "2", table, normalize="zscore"))(columns)
    np.testing.assert_allclose(zscore[:, 0], [-rare * 0.05006, rare * 19.975], rtol=1e-3)


def test_zscore_normalises_every_column_and_none_none(tmp_path: Path) -> None:
    every = make(tmp_path / "1", SMALL, normalize="zscore")
    assert [column.mean for column in every.numbers] == [0.125, 12.0, 2008.0]
    none = make(tmp_path / "2", SMALL, normalize="none")
    assert [(column.mean, column.scale) for column in none.numbers] == [(0.0, 1.0)] * 3
    assert not none.scales_label


def test_constant_column_is_centred(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, {"c": [7.0, 7.0], "y": [0.1, 0.2]})
    assert (preprocessing.numbers[0].mean, preprocessing.numbers[0].scale) == (7.0, 1.0)


def test_embedding_dim_is_taken_where_given(tmp_path: Path) -> None:
    assert make(tmp_path, SMALL, embedding_dim=5).tables == ((4, 5),)


def test_text_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="The label `y` is text; a regression needs a number"):
        make(tmp_path, {"a": [1.0], "y": ["high"]})


def test_column_without_statistics_is_refused(tmp_path: Path) -> None:
    _, schema, _ = make_artifacts(tmp_path / "1", SMALL, SMALL)
    _, _, statistics = make_artifacts(tmp_path / "2", {"a": [1.0], "y": [1.0]}, {"a": [1.0], "y": [1.0]})
    features, label = read_schema(schema.proto())
    with pytest.raises(TrainingError, match="Statistics of train have no `b`, `n`, `s`, which the schema asks for"):
        make_preprocessing(features, label, statistics.proto("train"), params=TrainerParams())


@pytest.mark.parametrize(
    ("values", "scaled"), [([0.0, 4.0], False), ([0.0, 0.01], True), ([0.0, 11.0], True), ([3.0, 3.0], False)]
)
def test_auto_normalises_a_label_that_is_not_of_the_networks_own_size(
    tmp_path: Path, values: list[float], scaled: bool
) -> None:
    assert make(tmp_path, {"a": [0.0, 1.0], "y": values}).scales_label is scaled


def test_robust_takes_median_and_quartiles_of_which_one_value_changes_nothing(tmp_path: Path) -> None:
    values = [float(i) for i in range(100)] + [1e30]
    (column,) = rich(tmp_path, values).numbers
    assert (column.mean, column.scale, column.fill) == (50.0, 50.0, 50.0)
    assert column.edges[0] == np.float32(-1 / np.sqrt(1 + 1 / 9))
    assert len(column.edges) == 9
    assert column.edges[-1] == 3.0


def test_where_half_of_the_rows_have_one_value_the_scale_is_half_the_range(tmp_path: Path) -> None:
    (column,) = rich(tmp_path, [0.0] * 90 + [float(i) for i in range(1, 11)]).numbers
    assert (column.mean, column.scale) == (0.0, 5.0)
    # 0 fills eight bins by itself: it is an edge, and the other rows share the rest.
    assert len(column.edges) == 9
    assert column.edges[0] == 0.0


def test_few_values_are_edges_and_a_constant_is_left_out(tmp_path: Path) -> None:
    (column,) = rich(tmp_path / "1", [0.0, 1.0, 3.0] * 10).numbers
    assert len(column.edges) == 3
    preprocessing = rich(tmp_path / "2", [7.0] * 10)
    assert not preprocessing.numbers
    assert preprocessing.notes == [
        "`c` has one value in train, so nothing can be learned from it: the model ignores it"
    ]
    assert preprocessing.features[0].name == "c"
    assert rich(tmp_path / "3", ["a"] * 10).notes == preprocessing.notes
    (column,) = rich(tmp_path / "4", [7.0, None] * 10).numbers  # that a value is missing may mean something
    assert (column.mean, column.scale, column.edges) == (7.0, 1.0, ())


def test_bins_are_as_many_as_asked_for(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=300).tolist()
    for bins, edges in ((0, 0), (5, 6), (AUTO, 9)):
        preprocessing = fitted(
            tmp_path / str(bins), {"c": values, "y": values}, settings={**RICH, "number_bins": bins, "number_dim": 3}
        )
        assert (len(preprocessing.edges[0]), preprocessing.number_dim) == (edges, 3 if edges else 0)


def test_whole_numbers_of_few_values_are_read_and_are_categories(tmp_path: Path) -> None:
    preprocessing = rich(tmp_path / "1", [i % 12 for i in range(240)] + [99])
    assert [column.name for column in preprocessing.numbers] == ["c"]
    assert preprocessing.keys == (KeyColumn("c", True, tuple(range(12)), 4),)  # 99 occurs once: other
    assert not rich(tmp_path / "2", [i % 8 for i in range(240)]).keys  # told apart by their bins
    assert not rich(tmp_path / "3", [float(i % 12) for i in range(240)]).keys
    assert not fitted(
        tmp_path / "4", {"c": [i % 12 for i in range(240)], "y": [0.0] * 240}, settings={"normalize": "robust"}
    ).keys


def test_keys_are_categories_too_and_magnitudes_are_only_read(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    users = np.repeat(random.permutation(3000)[:250], random.integers(2, 40, 250))
    preprocessing = rich(tmp_path / "1", users.tolist())
    assert [column.name for column in preprocessing.numbers] == ["c"]
    assert [(len(key.vocabulary), key.name) for key in preprocessing.keys] == [(250, "c")]
    delays = np.round(random.gamma(2, 60, 20_000)).astype(int)
    assert len(set(delays)) > 250
    preprocessing = rich(tmp_path / "2", delays.tolist())
    assert [column.name for column in preprocessing.numbers] == ["c"]
    assert not preprocessing.keys


def test_whole_numbers_that_the_schema_calls_categories_are_so(tmp_path: Path) -> None:
    preprocessing = rich(tmp_path, [1, 2, 3] * 10, categorical=["c"])
    assert (preprocessing.numbers, [key.vocabulary for key in preprocessing.keys]) == ((), [(1, 2, 3)])


def test_keys_that_float32_would_mix_up_are_no_categories_where_one_may_be_missing(tmp_path: Path) -> None:
    large = [2**24 + i % 12 for i in range(240)]
    assert rich(tmp_path / "1", large).keys
    preprocessing = rich(tmp_path / "2", [*large, None])
    assert [column.name for column in preprocessing.numbers] == ["c"]
    assert not preprocessing.keys
    assert rich(tmp_path / "3", [*(i % 12 for i in range(240)), None]).keys[0].rows == 14


def test_rare_texts_are_other_and_a_column_of_them_is_left_out(tmp_path: Path) -> None:
    common = ["x"] * 5 + ["y"] * 4
    (text,) = rich(tmp_path / "1", [*common, "once"]).texts
    assert text.vocabulary == ("x", "y")
    names = [f"name {i}" for i in range(95)]
    preprocessing = rich(tmp_path / "2", [*names, *["x"] * 5])
    reason = "is left out: nearly all of its values occur once in train. Name it in `example_gen.exclude`"
    assert preprocessing.left_out == (LeftOut("c", "BYTES", True, reason),)
    (text,) = rich(tmp_path / "3", [*names, *[None] * 20]).texts  # whether there is a name may mean something
    assert text.vocabulary == ("",)


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 1000), ("ns", 10**9)])
def test_times_are_seen_in_the_cycles_that_they_span(tmp_path: Path, unit: str, per_second: int) -> None:
    day, start = 86_400 * per_second, 1_700_006_400 * per_second  # midnight

    def cycles(name: str, step: int, count: int) -> tuple[str, ...]:
        values = [start + i * step for i in range(count)]
        (column,) = rich(tmp_path / name, values, times={"c": unit}).numbers
        assert column.edges
        return column.cycles

    assert cycles("days", day, 365) == ("year", "week")
    assert cycles("hours", day // 24, 24 * 20) == ("week", "day")
    assert cycles("one day", day // 24, 24) == ("day",)
    assert cycles("quarters", 91 * day, 30) == ("year", "week")
    values = [start + i * day for i in range(365)]
    preprocessing = fitted(
        tmp_path / "off",
        {"c": values, "y": [0.0] * 365},
        settings={**RICH, "date_parts": False},
        times={"c": unit},
    )
    assert preprocessing.numbers[0].cycles == ()
    assert not preprocessing.keys


def test_predictions_stay_near_the_labels_and_on_their_side_of_zero(tmp_path: Path) -> None:
    assert make(tmp_path / "1", SMALL).label_range == ()
    low, high = make(tmp_path / "2", SMALL, clip_predictions=True).label_range
    np.testing.assert_allclose([low, high], [1000 - 70.7107, 3000 + 70.7107], rtol=1e-6)
    prices = {"a": [1.0, 2.0, 3.0], "y": [0.5, 100.0, 100.0]}
    assert make(tmp_path / "3", prices, clip_predictions=True).label_range[0] == 0.0
    debts = {"a": [1.0, 2.0, 3.0], "y": [-0.5, -100.0, -100.0]}
    assert make(tmp_path / "4", debts, clip_predictions=True).label_range[1] == 0.0


def test_robust_normalises_the_label_of_any_size(tmp_path: Path) -> None:
    assert make(tmp_path, {"a": [0.0, 1.0], "y": [0.0, 4.0]}, normalize="robust").scales_label


def test_none_of_the_new_inputs_is_there_by_default(tmp_path: Path) -> None:
    table = {"c": [i % 12 for i in range(240)], "s": ["x", "y", "z"] * 79 + ["a", "b", "c"], "y": [0.0, 1.0] * 120}
    preprocessing = make(tmp_path, table)
    plain = NumberColumn("c", "INT", True, preprocessing.numbers[0].mean, preprocessing.numbers[0].scale, 5.5)
    assert preprocessing == Preprocessing((plain,), preprocessing.texts)
    assert set(preprocessing.to_json()) == {"numbers", "texts", "label_mean", "label_scale"}
    assert len(preprocessing.texts[0].vocabulary) == 6


def test_a_time_of_day_is_scaled_and_binned_in_minutes_and_is_no_category(tmp_path: Path) -> None:
    values: list[Any] = [hour * 100 + minute for hour in range(24) for minute in (0, 20, 40)] * 10
    preprocessing = rich(tmp_path / "1", values, clock=["c"])
    (column,) = preprocessing.numbers
    assert (column.is_clock, column.cycles, preprocessing.keys) == (True, ("day",), ())
    assert (column.mean, column.scale) == (700, 720)  # the median is 11:40, the quartiles are 12 hours apart
    (inputs,) = Transform(preprocessing)({"c": tf.constant([0, 1140, 2340], tf.int64)})
    scaled = np.array([-700, 0, 720]) / 720
    np.testing.assert_allclose(inputs[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-6, atol=1e-7)
    low, high = column.edges[0], column.edges[-1]
    np.testing.assert_allclose([low, high], [inputs[0, 0], inputs[2, 0]], rtol=1e-6)
    holes = rich(tmp_path / "2", [*values, None], clock=["c"]).numbers[0]
    assert (holes.required, holes.fill, holes.cycles) == (False, 700, ("day",))
    table = {"c": values, "y": [float(i) for i in range(len(values))]}
    off = fitted(tmp_path / "3", table, settings={**RICH, "date_parts": False}, clock=["c"])
    assert (off.numbers[0].cycles, off.numbers[0].is_clock) == ((), True)


@pytest.mark.parametrize("normalize", ["auto", "zscore", "none"])
def test_a_time_of_day_is_in_minutes_however_numbers_are_scaled(tmp_path: Path, normalize: str) -> None:
    table = {"c": [0, 100, 200, 300], "y": [1.0, 2.0, 3.0, 4.0]}
    (column,) = fitted(tmp_path, table, settings={"normalize": normalize}, clock=["c"]).numbers
    scaling = (0.0, 1.0) if normalize == "none" else (90.0, pytest.approx(np.std([0, 60, 120, 180])))
    assert (column.mean, column.scale, column.is_clock) == (*scaling, True)


def test_a_table_without_times_of_day_has_the_json_that_it_had(tmp_path: Path) -> None:
    preprocessing = make(tmp_path / "1", SMALL)
    assert not any("unit" in column for column in preprocessing.to_json()["numbers"])
    clock = fitted(tmp_path / "2", {"c": [5, 830], "y": [1.0, 2.0]}, settings=RICH, clock=["c"])
    assert Preprocessing.from_json(clock.to_json()) == clock
    assert clock.to_json()["numbers"][0]["unit"] == "hhmm"
