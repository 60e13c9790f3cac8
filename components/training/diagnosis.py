"""Says in words what went wrong in a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components.errors import DivergedError, TrainingError
from crossnet.components.formats import number
from crossnet.components.training.order import Order
from crossnet.components.training.rows import Rows
from crossnet.components.training.shared_rows import first_found

DIAGNOSED_ROWS = 10_000
# A spread of predictions below this share of the label's counts as none.
COLLAPSED = 1e-3
_LABEL = -1


def diagnose(network: tf_keras.Model, rows: Rows) -> list[str]:
    """Returns one sentence per symptom of a trained network; empty where it is well.

    The first `DIAGNOSED_ROWS` rows are asked. A unit is dead when its relu is 0 on all of them: no gradient reaches its
    weights any more.
    """
    chunk = next(rows.chunks(DIAGNOSED_ROWS))
    inputs, label = tuple(part[:DIAGNOSED_ROWS] for part in chunk.inputs), chunk.label[:DIAGNOSED_ROWS]
    relus = [layer for layer in network.layers if getattr(layer, "activation", None) is tf_keras.activations.relu]
    outputs = tf_keras.Model(network.inputs, [network.output, *(layer.output for layer in relus)])
    values = outputs(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    predictions, activations = (values[0], values[1:]) if relus else (values, [])
    symptoms = []
    spread, expected = float(np.std(predictions)), float(np.std(label))
    if expected > 0 and spread < COLLAPSED * expected:
        symptoms.append(
            f"The model has collapsed: its predictions have no spread ({spread / expected:.1e} of the label's), it "
            "answers the same for every row. Try another seed, a lower learning_rate or another initializer."
        )
    for layer, activation in zip(relus, activations, strict=True):
        is_dead = np.max(activation, axis=-2) <= 0  # ([members,] units)
        dead, units = int(np.sum(is_dead)), is_dead.size
        if dead > (units // 2 if is_dead.ndim > 1 else 0):  # a few of many members' units do no harm
            symptoms.append(
                f"{dead} of {units} units in layer `{layer.name}` are dead: 0 on all of {len(label):,} rows."
            )
    return symptoms


def _not_finite(rows: Rows, members: npt.NDArray[np.int64], has_numbers: bool) -> tuple[int, int] | None:
    """Returns where a row is in the split that is not finite, and in which column or `_LABEL`; None: all are."""
    finite = np.isfinite(rows.label[members])
    position, column = int(np.argmin(finite)), _LABEL
    if finite.all():
        if not has_numbers or (found := np.argwhere(~np.isfinite(rows.inputs[0][members]))).size == 0:
            return None
        position, column = found[0].tolist()
    return int(rows.places(members[position : position + 1])[0]), column


def raise_not_finite(
    losses: Sequence[float],
    *,
    epoch: int,
    batch_size: int,
    rows: Rows,
    number_names: Sequence[str],
    order: Order | None,
    locate: Callable[[int], str],
    learning_rate: float,
) -> None:
    """Explains a loss that is not finite.

    Args:
      losses: Of the batches so far, at least of this epoch; the last is not finite.
      epoch: The epoch, counted from 0.
      batch_size: Rows per batch.
      rows: Those of train; where workers share them, all call this at the same time.
      number_names: Names of the numeric inputs.
      order: The epoch's order of rows; None: as recorded.
      locate: Says where a row came from.
      learning_rate: The rate of the update before.

    Raises:
      TrainingError: With the row and the column, where a value is not finite.
      DivergedError: Otherwise: the gradient has exploded.
    """
    batch = (len(losses) - 1) % rows.updates(batch_size)
    first, last = rows.batch(batch, batch_size)
    where = f"The loss is {losses[-1]} in epoch {epoch + 1}, batch {batch + 1}"
    if rows.blocks is None:
        where += f" (rows {first:,} to {last - 1:,}"
        where += " of the epoch's order)" if order is not None else ")"
    members = np.arange(first, last) if order is None else order[first:last]
    if found := first_found(rows, _not_finite(rows, members, bool(number_names))):
        row, column = found
        if column == _LABEL:
            raise TrainingError(
                f"{where}: the label of row {row:,} ({locate(row)}) is not finite. Correct or remove it."
            )
        raise TrainingError(
            f"{where}: `{number_names[column]}` of row {row:,} ({locate(row)}) is not finite. Correct the row, or "
            "let the schema allow `" + number_names[column] + "` to be missing."
        )
    finite_losses = [loss for loss in losses if np.isfinite(loss)]
    path = f" from {number(min(finite_losses))} to {number(finite_losses[-1])}" if finite_losses else ""
    raise DivergedError(
        f"{where}, and its rows are finite: the gradient has exploded. The loss rose{path} before. Lower "
        f"`trainer.learning_rate` (it was {number(learning_rate)} then), set `trainer.warmup_fraction` to 0.05 or "
        "more, or `trainer.normalize` to auto where it is none."
    )
