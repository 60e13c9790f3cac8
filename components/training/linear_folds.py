"""Fits a linear model to train, and one without each fold.

As the linear model that the Evaluator shows, it is ridge regression of the label on numbers, indicators of missing ones
and the most frequent values of texts. Keys have no weights of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from crossnet.components.networks.linear_member import Floats, LinearMember, unclipped
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.ridge import RidgeSums
from crossnet.components.training.rows import Rows
from crossnet.components.training.unused_embeddings import count_ids

ROWS_AT_ONCE = 10_000
# Of all categories together: of an id that comes seldom, a linear model learns little that members have not.
MAX_INDICATORS, MAX_OF_ONE = 300, 100
# To solve takes the cube of it, for each fold: a second of CPU at a thousand.
MAX_INPUTS = 1000


class _Indicators(NamedTuple):
    """Which ids of a category have an indicator.

    Attributes:
      place: Of each id its indicator's, int64 (rows,); `size` for one that has none.
      size: How many there are.
    """

    place: npt.NDArray[np.int64]
    size: int


class LinearFolds(NamedTuple):
    """Linear models of the same inputs.

    Attributes:
      whole: Fitted to all rows.
      by_fold: For each fold, what was fitted to the rows of all others.
    """

    whole: LinearMember
    by_fold: dict[int, LinearMember]

    def predict_held_out(self, inputs: Sequence[npt.NDArray[Any]], fold: npt.NDArray[np.int32]) -> Floats:
        """Returns the prediction of each row by the model that was not fitted to its fold, float64 (rows,).

        Args:
          inputs: As `LinearMember.predict` takes them.
          fold: Of each row, (rows,).
        """
        found = np.empty(len(fold))
        for number in np.unique(fold).tolist():
            own = fold == number
            found[own] = self.by_fold[number].predict([part[own] for part in inputs])
        return found


def fit_linear(rows: Rows, preprocessing: Preprocessing, held_out: Sequence[int]) -> LinearFolds | None:
    """Returns ridge regressions of a network's inputs; None where these are too many, or not finite.

    Args:
      rows: Of train, with their folds.
      preprocessing: Theirs.
      held_out: The folds that are held out in turn.
    """
    has_numbers, clipped = bool(preprocessing.numbers), len(preprocessing.numbers) * preprocessing.clip
    counts = count_ids(rows, [size for size, _ in preprocessing.tables], has_numbers)
    indicators = _choose(counts[: len(preprocessing.texts)])
    sizes = [len(preprocessing.number_names), *(one.size for one in indicators)]
    if sum(sizes) > MAX_INPUTS:
        return None
    folds = sorted(set(held_out))
    sums = {fold: RidgeSums(sizes) for fold in [*folds, -1]}
    for chunk in rows.chunks(ROWS_AT_ONCE):
        assert chunk.fold is not None
        for first in range(0, len(chunk.label), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            fold = np.where(np.isin(chunk.fold[part], folds), chunk.fold[part], -1)
            inputs = [values[part] for values in chunk.inputs]
            for number in np.unique(fold).tolist():
                own = fold == number
                dense = unclipped(inputs[0][own], clipped).T if has_numbers else np.zeros((0, int(own.sum())))
                codes = [one.place[inputs[-1][own, i]] for i, one in enumerate(indicators)]
                weight = None if chunk.weight is None else chunk.weight[part][own].astype(np.float64)
                sums[number].add(dense, codes, chunk.label[part][own].astype(np.float64), weight)
    whole = RidgeSums(sizes)
    for part_sums in sums.values():
        part_sums.add_up(rows.total)
        whole.merge(part_sums)
    left = {fold: whole.without(sums[fold]) for fold in folds}
    if not all(one.is_finite and one.rows > 0 for one in (whole, *left.values())):
        return None
    by_fold = {fold: _solved(one, indicators, clipped) for fold, one in left.items()}
    return LinearFolds(_solved(whole, indicators, clipped), by_fold)


def _choose(counts: Sequence[Floats]) -> list[_Indicators]:
    """Returns the most frequent ids of each category; `counts` says how often each occurs."""
    found = []
    most = min(MAX_OF_ONE, MAX_INDICATORS // max(1, len(counts)))
    for count in counts:
        chosen = np.sort(np.argsort(-count, kind="stable")[:most])
        chosen = chosen[count[chosen] > 0]
        place = np.full(len(count), len(chosen))
        place[chosen] = np.arange(len(chosen))
        found.append(_Indicators(place, len(chosen)))
    return found


def _solved(sums: RidgeSums, indicators: Sequence[_Indicators], clipped: int) -> LinearMember:
    found = sums.solve()
    ends = np.cumsum([one.size for one in reversed(indicators)])  # counted from the last
    numbers, *tables = np.split(found.weights, len(found.weights) - ends[::-1])
    spread = [np.append(table, 0.0)[one.place] for table, one in zip(tables, indicators, strict=True)]
    return LinearMember(numbers, tuple(spread), found.intercept, clipped)
