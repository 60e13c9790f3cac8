"""The benchmark of StatisticsGen summarises columns of the kinds that the dataset has now."""

from __future__ import annotations

import pyarrow as pa

from benchmarks import statistics


def test_columns_of_numbers_and_of_text_are_summarised_by_both_sides() -> None:
    numbers, texts = list(statistics._numbers(1000)), list(statistics._texts(1000, 10))
    statistics._summarise("FLOAT", numbers)
    statistics._summarise("BYTES", texts)
    assert len(statistics._summarise_whole("FLOAT", numbers)) == 4 * 8
    (counts,) = statistics._summarise_whole("BYTES", texts)
    assert isinstance(counts, pa.Array)
    assert sum(counts.field("counts").to_pylist()) == 1000
    assert counts.field("values").to_pylist() == sorted(counts.field("values").to_pylist())
