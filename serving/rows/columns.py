"""Turns rows of a file into the inputs of a signature."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from typing import Any, cast

from google.protobuf.message import DecodeError

from crossnet.serving.client.input_checks import fit_inputs, name_problems
from crossnet.serving.protocol import messages
from crossnet.serving.protocol.cell_values import read_time
from crossnet.serving.protocol.column_rules import DEFAULT_RULES, ColumnRules
from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.protocol.header_names import feature_name, new_names, shared_names
from crossnet.serving.protocol.printable import MAX_NAME_SHOWN, shown
from crossnet.serving.protocol.signature import Signature
from crossnet.serving.protocol.train_values import NOTHING, TrainValues
from crossnet.serving.rows.advice import advice_on_values
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.cells import read_cell, read_json
from crossnet.serving.rows.csv import CsvReader
from crossnet.serving.rows.json_lines import JsonLinesReader
from crossnet.serving.rows.table_values import feature_values, is_moment
from crossnet.serving.rows.tables import TableReader, joined
from crossnet.serving.rows.tfrecord import TfRecordReader
from crossnet.serving.rows.unusual import Unusual, columns_of_examples, merged, unusual_values
from crossnet.serving.status import InvalidRequestError, RowsError, UsageError

_MAX_CACHED_HEADERS = 1000  # each JSON row may have keys of its own


class InputBuilder:
    """Builds the inputs of a signature from batches of rows.

    Args:
      table: The reader that the rows come from.
      signature: The inputs that the model takes.
      title: The model as a sentence names it.
      ignore_extra: Whether all columns that are not features are ignored, not only those that `rules` names.
      rules: Which columns are which features, beside what their headers say, and which are not features.
      features: Of TFRecords: the model's features, which the signature does not name; none: they are not known.
      known: What the model was trained on, as far as that is known.

    Attributes:
      unstated: The features that were times, or texts of such, whose unit is not stated, and were sent in seconds.

    Raises:
      InvalidRequestError: The columns of a file do not fit the signature.
      RowsError: Two columns of the header have the name of one feature.
      UsageError: The rows are TFRecords, and the signature has several inputs.
    """

    def __init__(
        self,
        table: JsonLinesReader | CsvReader | TfRecordReader | TableReader,
        signature: Signature,
        title: str,
        ignore_extra: bool,
        rules: ColumnRules = DEFAULT_RULES,
        features: Collection[str] = (),
        known: TrainValues = NOTHING,
    ) -> None:
        self._table = table
        self._signature = signature
        self._title = title
        self._ignore_extra = ignore_extra
        self._rules = rules
        self._left_out = rules.names_left_out()
        self._features = features if isinstance(table, TfRecordReader) else signature.inputs
        self._known = known
        self._unusual: list[Unusual] = []
        self.unstated: set[str] = set()
        self._cached_names: dict[tuple[str, ...], list[str]] = {}
        if isinstance(table, CsvReader | TableReader):
            self._check_header(table)
        if isinstance(table, TfRecordReader) and len(signature.inputs) != 1:
            raise UsageError(f"TFRecord needs a signature with one input; `{signature.name}` has several.")

    def build(self, batch: Sequence[Row]) -> dict[str, Any]:
        """Returns the values of each input, one per row.

        Raises:
          InvalidRequestError: Rows do not fit the signature; the message names their places.
          RowsError: Two keys of a JSON object have the name of one feature.
        """
        rows: Any
        if isinstance(self._table, TableReader):
            rows = self._table_columns(batch, self._table)
        elif isinstance(self._table, TfRecordReader):
            rows = [dict.fromkeys(self._signature.inputs, self._record(row)) for row in batch]
        elif isinstance(self._table, CsvReader):
            rows = list(self._csv_rows(batch, self._table))
        else:
            rows = list(self._json_rows(batch))
        try:
            arrays = fit_inputs(rows, self._signature, self._title, lambda i: batch[i].place)
        except InvalidRequestError as error:
            advice = advice_on_values(str(error), self._table)
            raise InvalidRequestError(_with_advice(self._in_words_of_the_file(str(error), batch[0])) + advice) from None
        values = arrays
        if isinstance(self._table, TfRecordReader):
            values = columns_of_examples([next(iter(row.values())) for row in rows], self._features)
        self._unusual += unusual_values(values, self._known, batch, self._column_of, self._unit_shown)
        return arrays

    def take_unusual(self) -> tuple[Unusual, ...]:
        """Returns what was unusual in the batches that were built since the last call."""
        found, self._unusual = merged(self._unusual), []
        return found

    def take_repeats(self) -> tuple[str, ...]:
        """Returns the places of the rows that were the header again, and were left out since the last call."""
        if not isinstance(self._table, CsvReader):
            return ()
        found, self._table.repeats = tuple(self._table.repeats), []
        return found

    def _column_of(self, feature: str, row: Row) -> str:
        """Returns the name of a feature in the file, or in the object or Example of a row."""
        if isinstance(self._table, CsvReader | TableReader):
            headers, place = self._table.header, self._table.header_place
        elif isinstance(self._table, TfRecordReader):
            headers, place = sorted(messages.Example.FromString(row.values).features.feature), row.place
        else:
            headers, place = list(row.values), row.place
        names = self._names(tuple(headers), place)
        header = next((header for header, name in zip(headers, names, strict=True) if name == feature), "")
        return header if header.strip() else feature

    def _unit_shown(self, feature: str, column: str) -> str:
        """Returns the unit of a feature that is a time; "" for any other."""
        return self._rules.unit_of(feature, column) or ("s" if feature in self.unstated else "")

    def _in_words_of_the_file(self, problem: str, row: Row) -> str:
        """Returns a problem of values with the names of the file's columns, and with a date where one is expected."""
        for feature in self._signature.inputs:
            start = f"`{feature}` holds "
            if start in problem:
                column = self._column_of(feature, row)
                if self._rules.unit_of(feature, column):
                    text = rf"({re.escape(start)}['\"].*?; expected )\w+\."
                    problem = re.sub(text, r"\g<1>a date such as 2024-02-01.", problem, count=1)
                problem = problem.replace(start, f"`{shown(column, MAX_NAME_SHOWN)}` holds ", 1)
        return problem

    def _csv_rows(self, batch: Sequence[Row], table: CsvReader) -> Iterator[dict[str, Any]]:
        specs = self._signature.inputs
        names = self._names(tuple(table.header), table.header_place)
        used = [(i, name, specs[name]) for i, name in enumerate(names) if name in specs]
        csv_format: CsvFormat = getattr(table, "csv_format", DEFAULT)
        # Settings name a column as the file or as the feature.
        special = csv_format.named_columns
        columns = {name: table.header[i] if table.header[i] in special else name for i, name, _ in used}
        units = {name: self._unit(name, table.header[i], row.values[i]) for row in batch[:1] for i, name, _ in used}
        if csv_format.has_plain_cells and not special:
            csv_format = DEFAULT
        for row in batch:
            yield {
                name: read_cell(row.values[i], spec, csv_format, columns[name], units[name]) for i, name, spec in used
            }

    def _table_columns(self, batch: Sequence[Row], table: TableReader) -> dict[str, Any]:
        """Returns the values of each input.

        Raises:
          InvalidRequestError: A column does not convert.
        """
        specs = self._signature.inputs
        names = self._names(tuple(table.header), table.header_place)
        used = [(i, name, specs[name]) for i, name in enumerate(names) if name in specs]
        values: dict[str, Any] = {}
        for i, name, spec in used:
            stated = self._rules.unit_of(name, table.header[i])
            unit = stated or ("" if name in self._known.ranges else "s")
            parts = []
            for rows in joined(batch):
                column = rows.column(i)
                if unit and not stated and not spec.is_text and is_moment(column):
                    self.unstated.add(name)
                try:
                    parts.append(feature_values(column, spec, unit))
                except ValueError as error:  # of Arrow
                    raise InvalidRequestError(
                        f"{batch[0].place} to {batch[-1].place}: `{shown(table.header[i])}` is {column.type} and does "
                        f"not convert to {spec.type_name}: {shown(str(error), 200)}. Fix the value."
                    ) from None
            values[name] = parts[0] if len(parts) == 1 else [value for part in parts for value in part]
        return values

    def _json_rows(self, batch: Sequence[Row]) -> Iterator[dict[str, Any]]:
        specs = self._signature.inputs
        for row in batch:
            names = self._names(tuple(row.values), row.place)
            yield {
                name: read_json(value, specs[name], self._unit(name, key, value)) if name in specs else value
                for place, (name, (key, value)) in enumerate(zip(names, row.values.items(), strict=True), 1)
                if name in specs or not self._is_ignored(key, place)
            }

    def _unit(self, feature: str, column: str, value: Any) -> str:
        """Returns the unit of times of a feature, "" where it is known to be a number that is none.

        It remembers a feature whose unit is not stated where `value` is such a text.
        """
        unit = self._rules.unit_of(feature, column)
        if not unit and feature in self._known.ranges:
            return ""
        is_unstated = not unit and isinstance(value, str) and not self._signature.inputs[feature].is_text
        if is_unstated and feature not in self.unstated and read_time(value) is not None:
            self.unstated.add(feature)
        return unit or "s"

    def _record(self, row: Row) -> bytes:
        """Returns a serialized Example whose features are named as the model names them; another message as it is."""
        record: bytes = row.values
        try:
            given = messages.Example.FromString(record).features.feature
        except DecodeError:
            return record  # whoever parses it says what is wrong
        keys = tuple(sorted(given))
        names = [
            name if name in self._features else key
            for key, name in zip(keys, self._names(keys, row.place), strict=True)
        ]
        if names == list(keys):
            return record
        named = messages.Example()
        for key, name in zip(keys, names, strict=True):
            named.features.feature[name].CopyFrom(given[key])
        return cast(bytes, named.SerializeToString())

    def _check_header(self, table: CsvReader | TableReader) -> None:
        """Raises InvalidRequestError where the columns of a file do not fit the signature."""
        features = self._signature.inputs
        names = self._names(tuple(table.header), table.header_place)
        headers = enumerate(table.header, 1)
        given = dict.fromkeys(
            name
            for name, (place, header) in zip(names, headers, strict=True)
            if name in features or not self._is_ignored(header, place)
        )
        problems = name_problems(given, self._signature)
        if not problems:
            return
        text = _with_advice(f"{table.header_place} does not fit model {self._title}. {' '.join(problems)}")
        if isinstance(table, CsvReader) and not set(names) & set(features):
            text += " This line has none of the model's names: is it the header?"
        if any(name.startswith("column_") for name in features if name not in given):
            text += " A column without a name is named after its position; keep the positions of the training file."
        raise InvalidRequestError(text)

    def _is_ignored(self, header: str, position: int) -> bool:
        """Whether a column that is not a feature is ignored."""
        return self._ignore_extra or header in self._left_out or feature_name(header, position) in self._left_out

    def _names(self, headers: tuple[str, ...], place: str) -> list[str]:
        """Returns the feature of each header; remembers it, as most rows have the same."""
        names = self._cached_names.get(headers)
        if names is None:
            names = match_headers(headers, self._features, self._rules.rename)
            if problem := shared_names(headers, names, place, self._features):
                raise RowsError(problem)
            if len(self._cached_names) >= _MAX_CACHED_HEADERS:
                self._cached_names.clear()
            self._cached_names[headers] = names
        return names


def match_headers(
    headers: Sequence[str], features: Container[str], rename: Mapping[str, str] | None = None
) -> list[str]:
    """Returns the feature that each header names: by `rename`, directly, or by the rule of `feature_name`.

    A header that does not name a feature stays as it is, or is named after its position where it holds no name.
    """
    renamed = new_names(headers, rename) if rename else {}
    names = []
    for position, header in enumerate(headers, 1):
        name = renamed.get(header, header)
        name = name if name in features else feature_name(header, position)
        names.append(name if name in features or name == f"column_{position}" else header)
    return names


def _with_advice(text: str) -> str:
    if "Extra: " not in text:
        return text
    return f"{text} Use `--ignore-extra` to ignore columns that are not features, such as the label."
