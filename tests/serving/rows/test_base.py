"""What the formats share: outputs that they refuse, and numbers in their shortest form."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.serving.rows.base import Writer, check_not_complex, check_not_taken, shortest_values
from crossnet.serving.status import RowsError
from support.row_files import ONE, answered, example, tfrecords


def test_floats_have_the_fewest_digits_that_are_read_back_as_the_same_float():
    assert shortest_values(np.array([0.1, 1 / 3], np.float32)) == [0.1, 0.33333334]
    assert shortest_values(np.array([0.1, 1 / 3])) == [0.1, 1 / 3]
    assert shortest_values(np.array([[0.1], [0.2]], np.float32)) == [[0.1], [0.2]]


def test_floats_of_any_size_are_read_back_as_the_same_float32():
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32) * np.float32(1e-7)
    np.testing.assert_array_equal(np.array(shortest_values(values), np.float32), values)


def test_other_values_become_those_of_python():
    assert shortest_values(np.array([1, 2], np.int64)) == [1, 2]
    assert shortest_values(np.array([True])) == [True]
    assert shortest_values(np.array([["nörd".encode(), b"\xff"]], object)) == [["nörd", "\ufffd"]]


def test_complex_outputs_are_refused():
    check_not_complex({"p": np.array([1.0])}, "JSON")
    with pytest.raises(RowsError, match="Output `p` is complex128, which JSON cannot hold. Export the model with real"):
        check_not_complex({"p": np.array([1j])}, "JSON")


def test_outputs_with_the_name_of_a_column_are_refused():
    check_not_taken(["p"], ["a", "b"], "rows:1")
    with pytest.raises(RowsError, match="rows:1 already has `p`, `q`, the name of the model's output. Rename the col"):
        check_not_taken(["p", "q", "r"], {"p": 1, "q": 2}, "rows:1")


@pytest.mark.parametrize(
    ("content", "kind", "place"),
    [
        (b'{"prediction": 1}', "jsonl", "rows:1"),
        (b"prediction\n1\n", "csv", "rows:1"),
        (tfrecords(example(prediction=1.0)), "tfrecord", "rows record 1"),
    ],
)
def test_no_format_overwrites_a_column(content, kind, place):
    with pytest.raises(RowsError, match=f"{place} already has `prediction`"):
        answered(content, kind, **ONE)


def test_writer_of_a_format_says_how_rows_are_written():
    writer = Writer()
    writer.begin(["prediction"])
    with pytest.raises(NotImplementedError):
        writer.write([], {})
