"""Turns columns into the network's inputs, in training and inside the export.

One description, `Preprocessing`, serves both. It is fixed by Schema and by the Statistics of the train split
(`crossnet.components.networks.input_choice`), holds constants only (no trainable weights), and is written beside the
exported model, so that a warm start sees rows exactly as the model before it did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from crossnet.components.features import Feature
from crossnet.components.networks.columns import MAX_OPTIONAL_KEY, KeyColumn, LeftOut, NumberColumn, TextColumn
from crossnet.components.networks.number_inputs import numeric_inputs

# A prediction may leave the labels of train by this share of their standard deviation.
LABEL_MARGIN = 0.1
# What a model has not that was trained before there were these: left out of its JSON, whose bytes are its own.
_NEWER = ("edges", "cycles", "unit", "number_dim", "clip", "keys", "left_out", "label_range", "reach")


@dataclass(frozen=True)
class Preprocessing:
    """From columns to the network's inputs, and from its output to the label's unit.

    Attributes:
      numbers: Numeric features, in the Schema's order.
      texts: Text features, in the Schema's order.
      label_mean, label_scale: `prediction = output * label_scale + label_mean`; 0 and 1 leave it as it is.
      number_dim: Outputs of each number's embedding (`PiecewiseLinear`); 0 where no number has edges.
      clip: Whether numbers are clipped smoothly after scaling.
      keys: Columns of whole numbers that are seen as categories; some of them are in `numbers` too.
      left_out: Features that the network does not see.
      label_range: The least and the largest prediction, in the label's unit, but for `reach`; empty: any.
      reach: By how much predictions may lie beyond on either side.
    """

    numbers: tuple[NumberColumn, ...]
    texts: tuple[TextColumn, ...]
    label_mean: float = 0.0
    label_scale: float = 1.0
    number_dim: int = 0
    clip: bool = False
    keys: tuple[KeyColumn, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    label_range: tuple[float, ...] = ()
    reach: float = 0.0

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns that it reads."""
        found = [Feature(column.name, column.type, column.required) for column in self.numbers]
        read = {column.name for column in self.numbers}
        found += [Feature(column.name, "INT", column.required) for column in self.keys if column.name not in read]
        found += [Feature(column.name, "BYTES", column.required) for column in self.texts]
        return (*found, *(Feature(column.name, column.type, column.required) for column in self.left_out))

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the network's numeric inputs.

        They are all numbers, then one indicator per number that may be missing, then sine and cosine of each cycle.
        """
        optional = [f"{column.name} is missing" for column in self.numbers if not column.required]
        waves = [(column.name, cycle) for column in self.numbers for cycle in column.cycles]
        cycles = [f"{name}, {wave} of the {cycle}" for name, cycle in waves for wave in ("sine", "cosine")]
        return (*(column.name for column in self.numbers), *optional, *cycles)

    @property
    def edges(self) -> tuple[tuple[float, ...], ...]:
        """Edges of each numeric input's bins, as `number_names` has them; empty for one that is not embedded."""
        others = len(self.number_names) - len(self.numbers)
        return (*(column.edges for column in self.numbers), *[()] * others)

    @property
    def categories(self) -> tuple[TextColumn | KeyColumn, ...]:
        """The columns that are seen as categories, in the order of the network's ids: texts, then keys."""
        return (*self.texts, *self.keys)

    @property
    def tables(self) -> tuple[tuple[int, int], ...]:
        """Rows and width of each category's embedding."""
        return tuple((column.rows, column.dim) for column in self.categories)

    @property
    def scales_label(self) -> bool:
        """Whether the label is normalised."""
        return (self.label_mean, self.label_scale) != (0.0, 1.0)

    @property
    def notes(self) -> list[str]:
        """What a user should know about features, one sentence each."""
        return [f"`{column.name}` {column.reason}" for column in self.left_out]

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader of the report wants to know about the inputs and the range of predictions, as JSON values."""
        return {
            "numbers": {column.name: [column.mean, column.scale] for column in self.numbers},
            "texts": {column.name: [len(column.vocabulary), column.dim] for column in self.texts},
            "keys": {column.name: [len(column.vocabulary), column.dim] for column in self.keys},
            "bins": {column.name: len(column.edges) - 1 for column in self.numbers if column.edges},
            "cycles": {column.name: list(column.cycles) for column in self.numbers if column.cycles},
            "left_out": {column.name: column.reason for column in self.left_out},
            "may_be_missing": [feature.name for feature in self.features if not feature.required],
            "label": [self.label_mean, self.label_scale],
            "label_range": list(self.limits),
        }

    @property
    def limits(self) -> tuple[float, ...]:
        """The least and the largest prediction, in the label's unit; empty: any. `reach` changes no sign."""
        if not self.label_range:
            return ()
        low, high = self.label_range
        least, most = low - self.reach, high + self.reach
        return max(least, 0.0) if low >= 0 else least, min(most, 0.0) if high <= 0 else most

    def reaching(self, linear_share: float) -> Preprocessing:
        """Returns it with another reach, the larger the more of a prediction is linear.

        Beyond the labels of train a network is guesswork. Where held-out rows say that the label is all but linear,
        larger features mean larger labels: at a share of 0.9 the margin of `label_range` is ten times as wide.

        Args:
          linear_share: That of the linear model, 0 to 1.
        """
        more = LABEL_MARGIN * self.label_scale * linear_share / max(1 - linear_share, 1e-6)
        return dataclasses.replace(self, reach=more)

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values that `from_json` reads."""
        value = dataclasses.asdict(self)
        for part in (value, *value["numbers"]):
            for name in [name for name in _NEWER if name in part and not part[name]]:
                del part[name]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Preprocessing:
        """Returns what `to_json` wrote."""
        kinds = {"numbers": NumberColumn, "texts": TextColumn, "keys": KeyColumn, "left_out": LeftOut}
        columns = {
            part: tuple(kind(**{name: _frozen(item) for name, item in column.items()}) for column in value[part])
            for part, kind in kinds.items()
            if part in value
        }
        return cls(**{**{name: _frozen(item) for name, item in value.items()}, **columns})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Transform(tf.Module):
    """Applies a `Preprocessing`; holds its lookup tables, which a SavedModel must track."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__(name="transform")
        self.preprocessing = preprocessing
        self.lookups = [_lookup(column) for column in preprocessing.categories]

    def __call__(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Returns the network's inputs.

        Args:
          columns: One tensor `[batch]` per feature, in its model input form (`Feature.dtype`).

        Returns:
          Numbers, float32 `[batch, numbers]`, where there are any; then ids, int64 `[batch, categories]`, likewise.
        """
        return side_by_side(self.by_feature(columns))

    def by_feature(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Returns the same inputs by feature, as the columns come: `[numbers, batch]`, `[categories, batch]`."""
        inputs = []
        if self.preprocessing.numbers:
            inputs.append(numeric_inputs(columns, self.preprocessing.numbers, clip=self.preprocessing.clip))
        if self.preprocessing.categories:
            pairs = zip(self.preprocessing.categories, self.lookups, strict=True)
            inputs.append(tf.stack([_ids(column, lookup, columns[column.name]) for column, lookup in pairs]))
        return tuple(inputs)


def _lookup(column: TextColumn | KeyColumn) -> tf.lookup.StaticHashTable:
    kind = tf.int64 if isinstance(column, KeyColumn) else tf.string
    ids = tf.range(column.rows - len(column.vocabulary), column.rows, dtype=tf.int64)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(column.vocabulary, kind), ids)
    return tf.lookup.StaticHashTable(initializer, default_value=0)


def _ids(column: TextColumn | KeyColumn, lookup: tf.lookup.StaticHashTable, values: tf.Tensor) -> tf.Tensor:
    """Returns the category of each value, int64 `[batch]`."""
    if isinstance(column, TextColumn) or column.required:
        return lookup.lookup(values)
    whole = tf.logical_and(tf.abs(values) <= MAX_OPTIONAL_KEY, tf.floor(values) == values)  # NaN is neither
    found = tf.where(whole, lookup.lookup(tf.cast(tf.where(whole, values, 0.0), tf.int64)), 0)
    return tf.where(tf.math.is_nan(values), tf.constant(1, tf.int64), found)


def side_by_side(inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
    """Returns inputs `[width, batch]` as `[batch, width]`."""
    # No transpose: on a CPU, TensorFlow takes five times as long for it (oneDNN, 1,000 rows of four).
    return tuple(tf.stack(tf.unstack(part), axis=1) for part in inputs)
