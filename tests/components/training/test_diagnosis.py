from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from crossnet.components.errors import TrainingError
from crossnet.components.training.diagnosis import diagnose, raise_not_finite
from crossnet.components.training.rows import Rows
from crossnet.components.training.sharing import Sharing
from support.meetings import share_of, sharing


def rows(label: list[float] | None = None) -> Rows:
    x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5]], np.float32)
    return Rows((x,), np.array(label or [0.0, 1.0, 2.0, 3.0], np.float32), 4)


def network(kernel: list[list[float]], bias: list[float]) -> tf_keras.Model:
    inputs = tf_keras.Input((2,))
    hidden = tf_keras.layers.Dense(2, "relu", name="hidden")
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(1, kernel_initializer="ones")(hidden(inputs)))
    hidden.set_weights([np.array(kernel), np.array(bias)])
    return model


def explain(losses: list[float], data: Rows, order: list[int] | None = None) -> str:
    with pytest.raises(TrainingError) as raised:
        raise_not_finite(
            losses,
            epoch=2,
            batch_size=2,
            rows=data,
            number_names=["a", "b"],
            order=None if order is None else np.array(order),
            locate=lambda row: f"rides.csv:{row + 2}",
            learning_rate=0.2,
        )
    return str(raised.value)


def test_network_that_learns_is_well() -> None:
    assert diagnose(network([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), rows()) == []


def test_dead_units_are_counted_by_layer() -> None:
    assert diagnose(network([[1.0, 0.0], [0.0, 0.0]], [0.0, -1.0]), rows()) == [
        "1 of 2 units in layer `hidden` are dead: 0 on all of 4 rows."
    ]


def test_network_without_spread_is_collapsed() -> None:
    collapsed, dead = diagnose(network([[0.0, 0.0], [0.0, 0.0]], [-1.0, -1.0]), rows())
    assert collapsed.startswith("The model has collapsed: its predictions have no spread (0.0e+00 of the label's)")
    assert dead == "2 of 2 units in layer `hidden` are dead: 0 on all of 4 rows."


def test_constant_label_is_no_collapse() -> None:
    assert diagnose(network([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), rows([1.0] * 4)) == []


def test_value_that_is_not_finite_is_named_by_batch_row_and_column() -> None:
    data = rows()
    data.inputs[0][3, 1] = np.inf
    assert explain([0.5, np.nan], data).startswith(
        "The loss is nan in epoch 3, batch 2 (rows 2 to 3): `b` of row 3 (rides.csv:5) is not finite."
    )


def test_shuffled_row_is_named_by_its_place_in_the_file() -> None:
    data = rows()
    data.inputs[0][3, 0] = np.nan
    message = explain([np.nan], data, order=[1, 3, 0, 2])
    assert "batch 1 (rows 0 to 1 of the epoch's order): `a` of row 3 (rides.csv:5) is not finite" in message


def test_label_that_is_not_finite_is_named() -> None:
    assert "the label of row 2 (rides.csv:4) is not finite" in explain([0.5, np.nan], rows([0.0, 1.0, np.nan, 3.0]))


def test_finite_rows_mean_that_the_gradient_exploded() -> None:
    message = explain([0.5, 4e30, np.inf, np.inf], rows())
    assert "the gradient has exploded. The loss rose from 0.5 to 4e30 before" in message
    assert "(it was 0.2 then)" in message


@pytest.mark.parametrize(("shuffled", "batch"), [(False, 8), (True, 13)])
def test_a_row_that_one_worker_has_is_named_by_all(shuffled: bool, batch: int) -> None:
    x = np.ones((40, 2), np.float32)
    x[13, 1] = np.nan  # in the seventh block of two rows, the fourth of worker 0, of whom each batch has a row
    whole = Rows((x,), np.ones(40, np.float32), 40)

    def work(workers: Sharing) -> str:
        order = list(range(20))[::-1] if shuffled else None
        return explain([0.5] * (batch - 1) + [np.nan], share_of(whole, workers), order)

    (message,) = set(sharing(2, work))
    assert message.startswith(f"The loss is nan in epoch 3, batch {batch}: `b` of row 13 (rides.csv:15) is not finite.")
    whole.inputs[0][13, 1] = 1.0
    (message,) = set(sharing(2, work))
    assert message.startswith(f"The loss is nan in epoch 3, batch {batch}, and its rows are finite: the gradient has")
