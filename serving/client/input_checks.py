"""Checks inputs against a signature, and casts them to its types.

float64 and whole numbers become float32; floats become integers only where each is a whole number; text becomes UTF-8
bytes. Nothing else is cast, and single values are not repeated. One error lists everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.printable import MAX_NAME_SHOWN, listed, shown
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.protocol.suggestions import nearest
from crossnet.serving.status import InvalidRequestError

_MAX_ROWS_NAMED = 5
_MAX_NAMED = 20  # inputs
_EXACT_FLOATS = 2.0**53  # float64 holds each whole number up to here

Where = Callable[[int], str]


def _index(row: int) -> str:
    return f"row {row}"


def fit_inputs(inputs: Any, signature: Signature, model: str, where: Where = _index) -> dict[str, Array]:
    """Returns the inputs as arrays of the signature's types and shapes.

    Args:
      inputs: A mapping from name to values, a list of rows (one mapping from name to value each), or, where the
        signature has one input, its values alone.
      signature: The inputs that the model takes.
      model: The model as it is named in a message, such as "`rides` version 3".
      where: Returns a row's name in a message, given its position from 0.

    Raises:
      InvalidRequestError: Inputs do not fit; the message lists everything that is wrong.
    """
    if not isinstance(inputs, Mapping):
        if isinstance(inputs, (list, tuple)) and inputs and all(isinstance(row, Mapping) for row in inputs):
            inputs = rows_to_columns(inputs, signature, model, where)
        elif len(signature.inputs) == 1 and (
            isinstance(inputs, (list, tuple, int, float)) or hasattr(inputs, "__array__")
        ):
            inputs = dict.fromkeys(signature.inputs, inputs)
        else:
            expected = ", ".join(f"`{name}`: {spec}" for name, spec in signature.inputs.items())
            raise InvalidRequestError(
                f"The inputs of model {model} are given by name, as a mapping or a list of rows. "
                f"Received {type(inputs).__name__}; expected {expected}."
            )
    problems = name_problems(inputs, signature)
    arrays = {}
    rows = {}
    for name, spec in signature.inputs.items():
        if name in inputs:
            try:
                array = arrays[name] = fit_values(inputs[name], spec, where)
            except ValueError as error:
                problems.append(f"`{name}` {error}")
                continue
            if spec.is_batched:
                rows[name] = len(array)
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"`{name}` has {count}" for name, count in rows.items())
        problems.append(f"The numbers of rows differ: {counts}.")
    if problems:
        raise InvalidRequestError(
            f"The inputs do not fit signature `{signature.name}` of model {model}. {' '.join(problems)}"
        )
    return arrays


def fit_values(values: Any, spec: TensorSpec, where: Where = _index) -> Array:
    """Returns the values of one input as an array of its type and shape.

    Raises:
      ValueError: They do not fit; the message is the rest of a sentence that starts with the input's name.
    """
    dtype = spec.dtype
    if type(values) is not np.ndarray:
        values = _to_array(values, spec, where)
    elif values.dtype == dtype and not spec.is_text and _shape_fits(values.shape, spec.shape):
        return values
    if dtype is None:
        raise ValueError(f"is of type {spec.type_name} in the model, which NumPy does not have.")
    if spec.is_column and values.ndim == 1:
        values = values.reshape(-1, 1)
    if not _shape_fits(values.shape, spec.shape):
        if not values.shape and spec.is_batched:
            raise ValueError(f"is a single value; expected one per row, shape {spec.shape_text}. Write it as a list.")
        raise ValueError(f"has shape {list(values.shape)}; expected {spec.shape_text}.")
    if spec.is_text:
        return _to_text(values, where)
    return values if values.dtype == dtype else _to_number(values, spec, dtype, where)


def _shape_fits(shape: tuple[int, ...], expected: tuple[int | None, ...] | None) -> bool:
    if expected is None:
        return True
    if len(shape) != len(expected):
        return False
    for size, want in zip(shape, expected, strict=True):  # noqa: SIM110 - all() costs each call a microsecond
        if want is not None and size != want:
            return False
    return True


def name_problems(given: Mapping[str, Any], signature: Signature) -> list[str]:
    """Returns up to two sentences: the inputs that are missing, and those that the model does not have."""
    if given.keys() == signature.inputs.keys():
        return []
    missing = [name for name in signature.inputs if name not in given and name not in signature.optional]
    extra = [name for name in given if name not in signature.inputs]
    problems = []
    if missing:
        problems.append(f"Missing: {listed(missing)}.")
    if extra:
        named = []
        for name in map(str, extra[:_MAX_NAMED]):
            near = nearest(name, missing or signature.inputs)
            text = f"`{shown(name, MAX_NAME_SHOWN)}`"
            named.append(f"{text} (did you mean `{near}`?)" if near else text)
        more = f", ... ({len(extra):,} in all)" if len(extra) > _MAX_NAMED else ""
        problems.append(f"Extra: {', '.join(named)}{more}.")
    return problems


def rows_to_columns(
    rows: Sequence[Mapping[str, Any]], signature: Signature, model: str, where: Where
) -> dict[str, list[Any]]:
    """Returns rows as columns.

    Raises:
      InvalidRequestError: A row does not have exactly the signature's inputs, or lacks an input with a default that
        another row has; the message names the first such rows.
    """
    wrong = [(i, problems) for i, row in enumerate(rows) if (problems := name_problems(row, signature))]
    if not wrong and signature.optional:
        given = [name for name in signature.inputs if any(name in row for row in rows)]
        wrong = [
            (i, [f"Missing: {', '.join(missing)}; give an input with a default in all rows or in none."])
            for i, row in enumerate(rows)
            if (missing := [f"`{name}`" for name in given if name not in row])
        ]
    if wrong:
        named = []
        for i, problems in wrong[:_MAX_ROWS_NAMED]:
            place = where(i) if where is not _index else _index(i).capitalize()
            named.append(f"{place} does not fit model {model}. {' '.join(problems)}")
        if len(wrong) > _MAX_ROWS_NAMED:
            named.append(f"{len(wrong) - _MAX_ROWS_NAMED} more rows do not fit.")
        raise InvalidRequestError(" ".join(named))
    return {name: [row[name] for row in rows] for name in signature.inputs if name in rows[0]}


def _to_array(values: Any, spec: TensorSpec, where: Where) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            'is a masked array. Fill its missing values: `.filled(np.nan)` for numbers, `.filled("")` for text.'
        )
    try:
        # As objects, so that NumPy does not turn [1, "a"] into text.
        array = np.asarray(values, np.object_) if spec.is_text else np.asarray(values)
        return np.asarray(values, np.object_) if array.dtype.kind in "UST" else array
    except ValueError:
        odd = _odd_row(values, spec, where)
        raise ValueError(f"has rows of different lengths{odd}; expected shape {spec.shape_text}.") from None


def _odd_row(values: Any, spec: TensorSpec, where: Where) -> str:
    """Returns a phrase that names the first row whose length is not the model's or, where any is, the first row's."""
    lengths = [len(value) if isinstance(value, (list, tuple, np.ndarray)) else None for value in values]
    wanted = lengths[0] if spec.shape is None or len(spec.shape) > 1 else None
    if spec.shape is not None and len(spec.shape) > 1 and spec.shape[1] is not None:
        wanted = spec.shape[1]
    odd = next((i for i, length in enumerate(lengths) if length != wanted), None)
    return "" if odd is None else f", such as {where(odd)}"


def _to_text(values: Array, where: Where) -> Array:
    """Returns an array of bytes objects."""
    if values.dtype.kind not in "OUST":
        raise ValueError(f"holds {values.dtype.name}; expected text.")
    flat = values.ravel().tolist()
    for i, value in enumerate(flat):
        if isinstance(value, str):
            try:
                flat[i] = value.encode()
            except UnicodeEncodeError:
                raise ValueError(
                    f"holds text that is not Unicode at {_place(values, i, where)}: {shown(repr(value))}."
                ) from None
        elif not isinstance(value, bytes):
            hint = ' Write "" for missing text.' if value is None or value != value else ""
            raise ValueError(f"holds {shown(repr(value))} at {_place(values, i, where)}; expected text.{hint}")
    texts = np.empty(len(flat), np.object_)
    texts[:] = flat
    return texts.reshape(values.shape)


def _to_number(values: Array, spec: TensorSpec, dtype: np.dtype[Any], where: Where) -> Array:
    """Returns the values in another numeric type; raises ValueError where that would change one."""
    if values.dtype.kind in "OUST":
        values = _numbers_of_objects(values, spec, where)
    source, target = values.dtype.kind, dtype.kind
    if source == target and values.dtype.itemsize == dtype.itemsize:  # another byte order
        return values.astype(dtype)
    if not values.size and source in "fiu":
        return values.astype(dtype)
    if target == "f" and source in "fiu":
        try:
            with np.errstate(over="raise"):
                return values.astype(dtype)
        except FloatingPointError:
            first = int(np.argmax(np.isfinite(values) & (np.abs(values) > np.finfo(dtype).max)))
            raise ValueError(_received(values, first, where, f"{dtype.name}, whose range it exceeds")) from None
    if target in "iu" and source in "fiu":
        limits = np.iinfo(dtype)
        fits = (values >= limits.min) & (values <= limits.max)
        if source == "f":
            # From 2^53 on, float64 rounds whole numbers.
            fits &= (np.abs(values) < _EXACT_FLOATS) & (values == np.floor(values))
        if fits.all():
            return values.astype(dtype)
        raise ValueError(_received(values, int(np.argmin(fits)), where, f"{dtype.name}, whole numbers in its range"))
    hint = " Write 0 and 1." if source == "b" and target in "fiu" else ""
    raise ValueError(f"holds {values.dtype.name}; expected {spec.type_name}.{hint}")


def _numbers_of_objects(values: Array, spec: TensorSpec, where: Where) -> Array:
    """Returns an array of Python objects as numbers."""
    flat = values.ravel().tolist()
    for i, value in enumerate(flat):
        if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
            hint = " Write NaN for a missing number." if value is None and spec.type_name.startswith("float") else ""
            raise ValueError(_received(values, i, where, spec.type_name) + hint)
    numbers = np.asarray(flat)
    if numbers.dtype.kind == "O":  # an integer beyond 64 bits
        first = next(i for i, value in enumerate(flat) if isinstance(value, int) and abs(value) >= 2**63)
        raise ValueError(_received(values, first, where, f"{spec.type_name}, whose range it exceeds"))
    return numbers.reshape(values.shape)


def _received(values: Array, position: int, where: Where, expected: str) -> str:
    value = values.ravel()[position]
    plain = value.item() if isinstance(value, np.generic) else value
    return f"holds {shown(repr(plain))} at {_place(values, position, where)}; expected {expected}."


def _place(values: Array, position: int, where: Where) -> str:
    """Returns the name of the row that holds the flat `position` of `values`."""
    return where(position // max(1, values.size // len(values))) if values.shape else "its only value"
