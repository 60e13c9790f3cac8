"""Answers requests from a SavedModel on disk, without a server.

`OfflineModel` has the methods of `crossnet.serving.client.PredictionClient`. It loads and calls the model as the
embedded server does, so a model that works only in Python fails here too. TensorFlow is imported when one is made.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc

from crossnet.serving.client.answers import Prediction, Timings
from crossnet.serving.client.input_checks import fit_inputs
from crossnet.serving.config.versions import list_versions
from crossnet.serving.embedded.codec import read_tensor
from crossnet.serving.embedded.quiet import import_tensorflow
from crossnet.serving.protocol.column_rules import COLUMNS_FILE, ColumnRules
from crossnet.serving.protocol.csv_format import FORMAT_FILE, CsvFormat
from crossnet.serving.protocol.messages import SignatureDef
from crossnet.serving.protocol.signature import ModelMetadata, read_signatures
from crossnet.serving.protocol.train_values import NOTHING, TRAIN_VALUES_FILE, TrainValues
from crossnet.serving.status import InvalidRequestError, NotFoundError, ServerError, ServingError

_Record = TypeVar("_Record")


def find_saved_model(folder: Path) -> Path:
    """Returns the folder that holds `saved_model.pb`.

    Args:
      folder: That folder; or the folder of a model's versions, of which the newest is taken; or a Model artifact.

    Raises:
      NotFoundError: The folder has no SavedModel.
    """
    newest_first = [path for _, path in sorted((list_versions(folder) or {}).items(), reverse=True)]
    for candidate in (folder, *newest_first, folder / "Format-Serving"):
        if os.path.isfile(candidate / "saved_model.pb"):  # False also where access is denied
            return candidate
    raise NotFoundError(
        f"No SavedModel is in `{folder}`. Expected `saved_model.pb` there, in a version's folder below it, or in "
        "`Format-Serving`."
    )


def recorded_format(folder: Path) -> CsvFormat:
    """Returns the format of the CSV that a model was trained on, which its folder records; else the default.

    Args:
      folder: See `find_saved_model`.

    Raises:
      NotFoundError: The folder has no SavedModel.
      ServerError: The record is damaged.
    """
    return _recorded(folder, FORMAT_FILE, lambda data: CsvFormat.of(json.loads(data))) or CsvFormat()


def recorded_rules(folder: Path) -> ColumnRules:
    """Returns how columns become the features of a model, as its folder records; else the rules of headers alone.

    Args:
      folder: See `find_saved_model`.

    Raises:
      NotFoundError: The folder has no SavedModel.
      ServerError: The record is damaged.
    """
    return _recorded(folder, COLUMNS_FILE, ColumnRules.from_json) or ColumnRules()


def known_rules(offline: Path | None, pushed: Path | None, version: int) -> ColumnRules:
    """Returns the rules of a model as `recorded_rules` does, also of a server's; its arguments are `known_values`'.

    Raises:
      ServerError: The record in `offline` is damaged.
    """
    if offline is not None:
        return recorded_rules(offline)
    try:
        return recorded_rules(pushed / str(version)) if pushed and version else ColumnRules()
    except ServingError:  # the server has its own folder
        return ColumnRules()


def recorded_values(folder: Path) -> TrainValues | None:
    """Returns what a model was trained on, as its folder records; None where it does not.

    Args:
      folder: See `find_saved_model`.

    Raises:
      NotFoundError: The folder has no SavedModel.
      ServerError: The record is damaged.
    """
    return _recorded(folder, TRAIN_VALUES_FILE, TrainValues.from_json)


def known_values(offline: Path | None, pushed: Path | None, version: int) -> tuple[TrainValues, Path | None]:
    """Returns what a model was trained on, and the folder that records it; nothing and None where that is not known.

    Args:
      offline: The model's folder, see `find_saved_model`; None: a server has it.
      pushed: The folder of the versions, of which the server may have taken it.
      version: The one that the server answers with.

    Raises:
      ServerError: The record in `offline` is damaged.
    """
    folder = offline or (pushed / str(version) if pushed and version else None)
    if folder is None:
        return NOTHING, None
    try:
        folder = find_saved_model(folder)
        values = recorded_values(folder)
    except ServingError:
        if offline is not None:
            raise
        values = None  # the server has loaded the model: nothing in this folder is needed for its answers
    return (NOTHING, None) if values is None else (values, folder)


def _recorded(folder: Path, name: str, read: Callable[[bytes], _Record]) -> _Record | None:
    path = find_saved_model(folder) / name
    try:
        return read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ServerError(f"`{path}` cannot be read: {error}. Restore the model's folder, or push it again.") from error


class OfflineModel:
    """A loaded SavedModel; use it in a `with` block, or call `close()`.

    Args:
      folder: See `find_saved_model`.
      model_name: The name in messages.

    Raises:
      NotFoundError: The folder has no SavedModel.
      ServerError: TensorFlow cannot load it.
    """

    def __init__(self, folder: Path, *, model_name: str = "crossnet") -> None:
        path = find_saved_model(folder)  # before TensorFlow is imported, which takes seconds
        import_tensorflow()
        import tensorflow as tf

        from crossnet.serving.embedded.model import LoadedModel

        self._refusal = tf.errors.OpError
        try:
            self._model = LoadedModel(path)
        except (ServingError, tf.errors.OpError) as error:
            raise ServerError(f"TensorFlow cannot load the model in `{path}`: {error}") from error
        definitions = {
            name: SignatureDef.FromString(definition.SerializeToString())
            for name, definition in self._model.signature_defs.items()
        }
        self._metadata = ModelMetadata(
            model_name=model_name,
            version=int(path.name) if path.name.isdecimal() else 0,
            signatures=read_signatures(definitions),
        )

    def predict(self, inputs: Any, *, signature_name: str = "serving_default") -> Prediction:
        """As `PredictionClient.predict`; the version is 0 where the folder's name is not a number.

        Raises:
          InvalidRequestError: The inputs do not fit, or the model refuses them.
        """
        start = time.perf_counter()
        arrays = fit_inputs(inputs, self._metadata.signature(signature_name), self._metadata.title)
        signature = self._model.signatures[signature_name]
        defaults = signature.definition.defaults
        given = [arrays[name] if name in arrays else read_tensor(defaults[name], name) for name in signature.inputs]
        checked = time.perf_counter()
        try:
            outputs = self._model.run(signature, given, tuple(sorted(signature.outputs)))
        except self._refusal as error:
            message = f"Model {self._metadata.title} refuses the inputs: {error}"
            raise InvalidRequestError(message, grpc.StatusCode.INVALID_ARGUMENT) from error
        timings = Timings(checked - start, time.perf_counter() - checked, 0.0)
        return Prediction(outputs, self._metadata.version, signature_name, timings)

    def metadata(self) -> ModelMetadata:
        """Returns the model's signatures."""
        return self._metadata

    def close(self) -> None:
        """Frees the model."""
        self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
