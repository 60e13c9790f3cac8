"""Rows of a file as the inputs of a model's signature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from crossnet.serving.client.input_checks import fit_inputs, name_problems
from crossnet.serving.protocol.signature import Signature
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.cells import read_cell, read_json
from crossnet.serving.rows.csv import Csv
from crossnet.serving.rows.json_lines import JsonLines
from crossnet.serving.rows.tfrecord import TfRecord
from crossnet.serving.status import InvalidRequestError, RowsError, UsageError

_MOST_HEADERS = 1000  # JSON rows may each have keys of their own


class ColumnMaker:
    """Turns a batch of rows into the inputs of a signature.

    Args:
      table: The reader that the rows come from.
      signature: What the model takes.
      title: The model as it is named in a sentence.
      ignore_extra: Let columns pass that are no features.

    Raises:
      InvalidRequestError: The header of a CSV does not fit.
      RowsError: Two columns of it are one feature.
      UsageError: TFRecord, and a signature with several inputs.
    """

    def __init__(self, table: JsonLines | Csv | TfRecord, signature: Signature, title: str, ignore_extra: bool) -> None:
        self._signature = signature
        self._title = title
        self._ignore_extra = ignore_extra
        self._features: dict[tuple[str, ...], list[str]] = {}
        self._table = table
        if isinstance(table, Csv):
            header = self._names(table.header, table.header_place)
            given = dict.fromkeys(self._kept(header))
            if problems := name_problems(given, self._signature):
                text = f"{table.header_place} does not fit model {title}. {self._advise(problems)}"
                if not set(header) & set(signature.inputs):
                    text += " No name in this line is one of the model's: is it the header?"
                raise InvalidRequestError(text)
        if isinstance(table, TfRecord) and len(self._signature.inputs) != 1:
            raise UsageError(f"TFRecord needs a signature with one input, not `{signature.name}`.")

    def __call__(self, batch: Sequence[Row]) -> dict[str, Any]:
        """Returns input name -> values; raises InvalidRequestError with the place of what does not fit."""
        specs = self._signature.inputs
        rows: list[Any]
        if isinstance(self._table, TfRecord):
            rows = [dict.fromkeys(specs, row.values) for row in batch]
        elif isinstance(self._table, Csv):
            names = self._names(self._table.header, "")
            kept = [(i, name, specs[name]) for i, name in enumerate(names) if name in specs]
            rows = [{name: read_cell(row.values[i], spec) for i, name, spec in kept} for row in batch]
        else:
            rows = []
            for row in batch:
                names = self._names(tuple(row.values), row.place)
                values = zip(self._kept(names, keep_place=True), row.values.values(), strict=True)
                rows.append(
                    {
                        name: read_json(value, specs[name]) if name in specs else value
                        for name, value in values
                        if name is not None
                    }
                )
        try:
            return cast("dict[str, Any]", fit_inputs(rows, self._signature, self._title, lambda i: batch[i].place))
        except InvalidRequestError as error:
            raise InvalidRequestError(self._advise([str(error)])) from None

    def _names(self, given: Sequence[str], place: str) -> list[str]:
        """Returns the features that headers stand for; a header that is none stays as it is."""
        key = tuple(given)
        if key not in self._features:
            names = [_feature_name(header, self._signature) for header in given]
            for name in names:
                spellings = [f"`{header}`" for header, found in zip(given, names, strict=True) if found == name]
                if len(spellings) > 1:
                    raise RowsError(f"{place} has {' and '.join(spellings)}, which are both feature `{name}`.")
            if len(self._features) >= _MOST_HEADERS:
                self._features.clear()
            self._features[key] = names
        return self._features[key]

    def _kept(self, names: list[str], keep_place: bool = False) -> list[Any]:
        """Returns the names without those to ignore, which become None where `keep_place`."""
        if not self._ignore_extra:
            return list(names)
        kept = [name if name in self._signature.inputs else None for name in names]
        return kept if keep_place else [name for name in kept if name is not None]

    def _advise(self, problems: list[str]) -> str:
        text = " ".join(problems)
        return f"{text} Columns that are no features pass with `--ignore-extra`." if "Extra: " in text else text


def _feature_name(header: str, signature: Signature) -> str:
    """Returns the feature for a header, by the rule of ExampleGen."""
    if header in signature.inputs:
        return header
    name = re.sub(r"[^A-Za-z0-9_]", "_", header)
    name = f"_{name}" if name[:1].isdigit() else name
    return name if name in signature.inputs else header
