"""Asks a model about rows, and names the row that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from crossnet.serving.client.answers import Prediction
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.status import InvalidRequestError, ServerError, ServingError


class Model(Protocol):
    """A model on a server, or one that was loaded here."""

    def predict(self, inputs: Any, *, signature_name: str) -> Prediction:
        """Returns its answer."""


def ask(model: Model, inputs: InputBuilder, batch: Sequence[Row], signature_name: str) -> Prediction:
    """Returns the model's answer for some rows.

    Raises:
      InvalidRequestError: The model refuses a row; the message names its place.
      ServerError: An output does not have one value per row.
    """

    def answer(rows: Sequence[Row]) -> Prediction:
        prediction = model.predict(inputs.build(rows), signature_name=signature_name)
        for name, values in prediction.outputs.items():
            if values.shape[:1] != (len(rows),):
                raise ServerError(
                    f"Output `{name}` has shape {list(values.shape)} for {len(rows)} rows; expected one value per row."
                )
        return prediction

    try:
        return answer(batch)
    except InvalidRequestError as error:
        if error.code is None:  # found before sending, with the places of the rows
            raise
        raise _with_place(error, batch, answer) from None


def _with_place(
    error: InvalidRequestError, batch: Sequence[Row], ask: Callable[[Sequence[Row]], Prediction]
) -> InvalidRequestError:
    """Returns the error with the place of the first row that the model refuses, found by halving the batch.

    The error itself is returned where the model accepts each row alone, or can no longer be asked.
    """
    first, end, reason = 0, len(batch), error
    smallest = len(batch)  # rows of the smallest part that was refused
    while smallest > 1:
        middle = max(first + 1, (first + end) // 2)
        part = batch[first:middle]
        try:
            ask(part)
        except InvalidRequestError as refusal:
            end, reason, smallest = middle, refusal, len(part)
            continue
        except ServingError:
            return error
        first = middle
        if first == end:
            return error
    return InvalidRequestError(f"{batch[first].place}: {reason}", reason.code)
