"""Declares which columns of a file are which features.

ExampleGen names the columns; `predict` names those of a request likewise. A model's folder records the names that do
not follow from the headers alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossnet.serving.protocol.cell_values import TIME_UNITS
from crossnet.serving.protocol.header_names import feature_name, is_feature_name
from crossnet.serving.protocol.printable import shown

COLUMNS_FILE = "assets.extra/columns.json"  # in a SavedModel: of the rows that it was trained on


@dataclass(frozen=True)
class ColumnRules:
    """How the columns of a file become features.

    Attributes:
      rename: Features by the column's name in the file, in any spelling.
      time_units: The unit ("s", "ms", "us" or "ns") of the whole numbers since 1970 that times are, by feature, or by
        column in the file.
      not_features: What the other columns of the training rows are, "label", "weight", "group" or "excluded", by the
        column's name in the file or its new name, in any spelling.
    """

    rename: Mapping[str, str] = field(default_factory=dict, hash=False)
    time_units: Mapping[str, str] = field(default_factory=dict, hash=False)
    not_features: Mapping[str, str] = field(default_factory=dict, hash=False)

    def unit_of(self, feature: str, column: str = "") -> str:
        """Returns the unit of a feature that is a time; "" where none is stated."""
        return self.time_units.get(feature) or self.time_units.get(column, "")

    def over(self, other: ColumnRules) -> ColumnRules:
        """Returns the rules of both; where both name a column, these."""
        return ColumnRules(
            {**other.rename, **self.rename},
            {**other.time_units, **self.time_units},
            {**other.not_features, **self.not_features},
        )

    def names_left_out(self) -> frozenset[str]:
        """Returns the names of columns that are not features: as they are stated, and as features are spelled."""
        stated = {*self.not_features, *(old for old, new in self.rename.items() if new in self.not_features)}
        return frozenset(stated | {feature_name(name, 0) for name in stated})

    @classmethod
    def from_json(cls, data: bytes) -> ColumnRules:
        """Returns what `to_json` wrote; fields that a later version has added are left out.

        Raises:
          ValueError: It is not a JSON object of mappings from text to text.
        """
        found = json.loads(data)
        names = {item.name for item in dataclasses.fields(cls)}
        values = {name: value for name, value in found.items() if name in names} if isinstance(found, dict) else None
        units = values.get("time_units") if values else None
        if isinstance(units, dict) and not {*map(str, units.values())} <= {*TIME_UNITS}:
            raise ValueError(f"expected units of times among {', '.join(TIME_UNITS)}")
        texts = [value for value in (values or {}).values() if isinstance(value, dict)]
        pairs = [text for value in texts for pair in value.items() for text in pair]
        if values is None or len(texts) < len(values) or not all(isinstance(text, str) for text in pairs):
            raise ValueError("expected an object that holds objects of texts")
        return cls(**values)

    def to_json(self) -> str:
        """Returns the rules as JSON; "" where there are none."""
        given = {name: dict(value) for name, value in vars(self).items() if value}
        return json.dumps(given, ensure_ascii=False, indent=2) + "\n" if given else ""


DEFAULT_RULES = ColumnRules()


def problems_of_new_names(rename: Mapping[str, str]) -> list[str]:
    """Returns what is wrong with the names that `rename` gives, a sentence each."""
    problems = [
        f"`rename` gives `{shown(old)}` the name '{shown(new)}'. A name has letters (a to z), digits and `_`, begins "
        "without a digit and has a letter or a digit."
        for old, new in rename.items()
        if not is_feature_name(new)
    ]
    twice = [name for name, count in Counter(rename.values()).items() if count > 1]
    return problems + [
        f"`rename` gives the name `{shown(name)}` to several columns. Each column needs a name of its own."
        for name in twice
        if is_feature_name(name)
    ]
