"""Settings of StatisticsGen: how columns are summarised."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.setting import setting


@dataclass(frozen=True, kw_only=True)
class StatisticsGenParams:
    """How columns are summarised."""

    num_histogram_buckets: int = setting(20, "buckets of equal width, and as many quantiles", least=2, most=1000)
    num_top_values: int = setting(20, "most frequent values of a text column that are listed", least=1)
    max_vocabulary: int = setting(10_000, "distinct texts or whole numbers kept as a column's vocabulary", least=1)
