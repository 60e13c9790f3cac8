from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.sources.formula import BLOCK_ROWS, article_rows, num_blocks, sharded_rows


def columns(batches: object) -> np.ndarray:
    table = pa.Table.from_batches(batches)
    return np.stack([table[name].to_numpy() for name in table.column_names], axis=1)


def test_article_rows_are_numpys_legacy_draws() -> None:
    rows = columns(article_rows(seed=7, num_examples=20_000, num_features=5))
    np.random.seed(7)
    x = np.random.randint(200, size=[20_000, 5]) / 200.0
    np.testing.assert_array_equal(rows[:, :5], x.astype(np.float32))
    y = x[:, 0] ** 2 + x[:, 0] * x[:, 1] + x[:, 1] * x[:, 2] + x[:, 2] ** 2
    np.testing.assert_array_equal(rows[:, 5], y.astype(np.float32))


def test_sharded_rows_do_not_change_with_more_rows_more_features_or_how_they_are_shared_out() -> None:
    whole = columns(sharded_rows(seed=1, num_examples=BLOCK_ROWS * 2 + 10, num_features=3))
    assert whole.shape == (BLOCK_ROWS * 2 + 10, 4)
    longer = columns(sharded_rows(seed=1, num_examples=BLOCK_ROWS * 2 + 500, num_features=4))
    np.testing.assert_array_equal(longer[: len(whole), :3], whole[:, :3])
    np.testing.assert_array_equal(longer[: len(whole), 4], whole[:, 3])
    block = columns(sharded_rows(seed=1, num_examples=len(whole), num_features=3, first_block=1, last_block=2))
    np.testing.assert_array_equal(block, whole[BLOCK_ROWS : 2 * BLOCK_ROWS])
    other = columns(sharded_rows(seed=2, num_examples=100, num_features=3))
    assert (other != whole[:100]).any()


def test_sharded_rows_are_uniform_over_200_levels() -> None:
    rows = columns(sharded_rows(seed=5, num_examples=BLOCK_ROWS, num_features=3))
    levels, counts = np.unique(rows[:, 0], return_counts=True)
    np.testing.assert_array_equal(levels, (np.arange(200) / 200).astype(np.float32))
    expected = BLOCK_ROWS / 200
    assert ((counts - expected) ** 2 / expected).sum() < 280  # chi-squared, 199 degrees: beyond 280 once in 10,000
    assert abs(np.corrcoef(rows[:, 0], rows[:, 1])[0, 1]) < 0.02


@pytest.mark.parametrize(("rows", "blocks"), [(1, 1), (BLOCK_ROWS, 1), (BLOCK_ROWS + 1, 2)])
def test_num_blocks_holds_all_rows(rows: int, blocks: int) -> None:
    assert num_blocks(rows) == blocks
