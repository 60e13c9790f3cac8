"""Makes columns and their statistics from lists."""

import numpy as np

from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import Column
from crossnet.components.records.texts import as_texts
from crossnet.components.statistics.columns import ColumnStatistics


def numbers(values, dtype=np.float32):
    """A column from a list in which None is missing."""
    present = np.array([value is not None for value in values], bool)
    filled = np.array([0 if value is None else value for value in values], dtype)
    return Column(filled, None if present.all() else present)


def texts(values):
    present = np.array([value is not None for value in values], bool)
    filled = as_texts(b"" if value is None else value for value in values)
    return Column(filled, None if present.all() else present)


def statistics_of(type_name, *columns, name="c", **settings):
    statistics = ColumnStatistics(name, type_name, StatisticsGenParams(**settings))
    for column in columns:
        statistics.update(column)
    return statistics
