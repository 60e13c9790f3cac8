from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.formula import BLOCK_ROWS, article_rows, sharded_rows
from crossnet.components.sources.synthetic import SyntheticSource

ROWS = 2 * BLOCK_ROWS + 10


def source(**settings: Any) -> SyntheticSource:
    return SyntheticSource(ExampleGenParams(**settings))


def table(batches: Any) -> pa.Table:
    return pa.Table.from_batches([batch.rows for batch in batches])


def test_columns_are_the_features_and_the_label_as_floats() -> None:
    columns = source(num_features=4).columns
    assert [column.name for column in columns] == ["x0", "x1", "x2", "x3", "y"]
    assert {column.type for column in columns} == {"FLOAT"}


def test_excluded_columns_are_not_written() -> None:
    planned = source(num_examples=20, exclude=("x1",))
    assert [column.name for column in planned.columns] == ["x0", "x2", "y"]
    (batch,) = planned.read(0, 1)
    assert batch.rows.schema.names == ["x0", "x2", "y"]


def test_article_recipe_is_one_unit() -> None:
    planned = source(num_examples=ROWS, seed=7)
    assert planned.sizes == [ROWS]
    expected = pa.Table.from_batches(article_rows(seed=7, num_examples=ROWS, num_features=3))
    assert table(planned.read(0, 1)).equals(expected)


def test_sharded_recipe_has_a_unit_for_each_block_of_rows() -> None:
    planned = source(generator="sharded", num_examples=ROWS, seed=7)
    assert planned.sizes == [BLOCK_ROWS, BLOCK_ROWS, 10]
    expected = pa.Table.from_batches(sharded_rows(seed=7, num_examples=ROWS, num_features=3))
    assert table(planned.read(0, 3)).equals(expected)
    assert table(planned.read(1, 3)).equals(expected.slice(BLOCK_ROWS))


def test_batches_carry_their_unit_and_the_number_of_their_first_row_in_it() -> None:
    batches = list(source(generator="sharded", num_examples=ROWS).read(1, 3))
    for unit, size in ((1, BLOCK_ROWS), (2, 10)):
        own = [batch for batch in batches if batch.unit == unit]
        ends = np.cumsum([batch.rows.num_rows for batch in own]).tolist()
        assert [batch.first_row for batch in own] == [0, *ends[:-1]]
        assert ends[-1] == size
    assert len(batches) > 2


@pytest.mark.parametrize("generator", ["article", "sharded"])
def test_split_column_is_that_of_the_rows_even_where_it_is_excluded(generator: str) -> None:
    settings: dict[str, Any] = {"generator": generator, "num_examples": ROWS, "split": "time", "split_column": "x1"}
    planned = source(**settings, exclude=("x1",))
    whole = table(source(**settings).read(0, 1))["x1"].to_numpy()
    keys = [batch.key for batch in planned.read(0, 1)]
    np.testing.assert_array_equal(np.concatenate([key.to_numpy() for key in keys if key is not None]), whole)
    np.testing.assert_array_equal(np.concatenate([key.to_numpy() for key in planned.read_keys(0)]), whole)


def test_rows_have_no_key_where_the_split_needs_none() -> None:
    assert [batch.key for batch in source(num_examples=20).read(0, 1)] == [None]


def test_place_counts_rows_over_all_units() -> None:
    assert source(generator="sharded").place(2, 5) == f"synthetic row {2 * BLOCK_ROWS + 5}"
    assert source().place(0, 99_999) == "synthetic row 99999"


def test_settings_that_name_no_column_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"`example_gen.exclude` names `x9`.* The columns of `the synthetic table`"):
        _ = source(exclude=("x9",)).columns


def test_source_can_be_sent_to_another_process() -> None:
    planned = source(generator="sharded", num_examples=100)
    sent = pickle.loads(pickle.dumps(planned))
    assert table(sent.read(0, 1)).equals(table(planned.read(0, 1)))
