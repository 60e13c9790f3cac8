"""Turns columns into the network's inputs, in training and inside the export.

One description, `Preprocessing`, serves both. It is fixed by Schema and by the Statistics of the train split, holds
constants only (no trainable weights), and is written beside the exported model, so that a warm start sees rows exactly
as the model before it did.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from crossnet.components.errors import TrainingError
from crossnet.components.features import Feature

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

MAX_EMBEDDING_DIM = 16
# A label in [-10, 10] with at least this spread is of the network's own size: normalising it would only cost precision.
MAX_LABEL, MIN_LABEL_SPREAD = 10.0, 0.1
# The largest size of a train value that "auto" leaves to a feature. Cross layers multiply features: a rare value of 30
# standard deviations would make a rare product of 900, whose gradients drown those of all other rows.
MAX_INPUT = 5.0


@dataclass(frozen=True)
class NumberColumn:
    """A numeric feature: the network sees `(value - mean) / scale`, as it is where mean is 0 and scale is 1.

    Where the Schema allows absence, a missing value is replaced by `fill`, the train mean in the column's own unit,
    and a second input says that it was missing. `edges` bound the bins of its embedding, in the network's unit,
    ascending; a number without edges is read and not embedded.
    """

    name: str
    type: str
    required: bool
    mean: float = 0.0
    scale: float = 1.0
    fill: float = 0.0
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class TextColumn:
    """A text feature: the network sees row `id` of a trained table `(1 + len(vocabulary), dim)`.

    Id 0 is a value outside the vocabulary; a missing value is the token "", where the Schema allows absence.
    """

    name: str
    required: bool
    vocabulary: tuple[str, ...]
    dim: int


@dataclass(frozen=True)
class Preprocessing:
    """From columns to the network's inputs, and from its output to the label's unit.

    Attributes:
      numbers: Numeric features, in the Schema's order.
      texts: Text features, in the Schema's order.
      label_mean, label_scale: `prediction = output * label_scale + label_mean`; 0 and 1 leave it as it is.
      number_dim: Outputs of each number's embedding (`PiecewiseLinear`); 0 where no number has edges.
    """

    numbers: tuple[NumberColumn, ...]
    texts: tuple[TextColumn, ...]
    label_mean: float = 0.0
    label_scale: float = 1.0
    number_dim: int = 0

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns that it reads."""
        numbers = [Feature(column.name, column.type, column.required) for column in self.numbers]
        return (*numbers, *(Feature(column.name, "BYTES", column.required) for column in self.texts))

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the network's numeric inputs: all numbers, then one indicator per number that may be missing."""
        optional = [f"{column.name} is missing" for column in self.numbers if not column.required]
        return (*(column.name for column in self.numbers), *optional)

    @property
    def edges(self) -> tuple[tuple[float, ...], ...]:
        """Edges of each numeric input's bins, as `number_names` has them; empty for one that is not embedded."""
        indicators = len(self.number_names) - len(self.numbers)
        return (*(column.edges for column in self.numbers), *[()] * indicators)

    @property
    def tables(self) -> tuple[tuple[int, int], ...]:
        """Rows and width of each text feature's embedding."""
        return tuple((1 + len(column.vocabulary), column.dim) for column in self.texts)

    @property
    def scales_label(self) -> bool:
        """Whether the label is normalised."""
        return (self.label_mean, self.label_scale) != (0.0, 1.0)

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values that `from_json` reads; what is at its default of today is left out."""
        value = dataclasses.asdict(self)
        for part in (value, *value["numbers"]):
            for name in [name for name in ("edges", "number_dim") if name in part and not part[name]]:
                del part[name]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Preprocessing:
        """Returns what `to_json` wrote."""
        texts = [TextColumn(**{**column, "vocabulary": tuple(column["vocabulary"])}) for column in value["texts"]]
        numbers = [NumberColumn(**{**column, "edges": tuple(column.get("edges", ()))}) for column in value["numbers"]]
        return cls(**{**value, "numbers": tuple(numbers), "texts": tuple(texts)})


class Transform(tf.Module):
    """Applies a `Preprocessing`; holds its lookup tables, which a SavedModel must track."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__(name="transform")
        self.preprocessing = preprocessing
        self.lookups = [
            tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(column.vocabulary, tf.string),
                    tf.range(1, len(column.vocabulary) + 1, dtype=tf.int64),
                ),
                default_value=0,
            )
            for column in preprocessing.texts
        ]

    def __call__(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Returns the network's inputs.

        Args:
          columns: One tensor `[batch]` per feature, in its model input form (`Feature.dtype`).

        Returns:
          Numbers, float32 `[batch, numbers]`, where there are any; then ids, int64 `[batch, texts]`, likewise.
        """
        return side_by_side(self.by_feature(columns))

    def by_feature(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Returns the same inputs by feature, as the columns come: `[numbers, batch]`, `[texts, batch]`."""
        inputs = []
        if self.preprocessing.numbers:
            inputs.append(_normalized(columns, self.preprocessing.numbers))
        if self.preprocessing.texts:
            pairs = zip(self.preprocessing.texts, self.lookups, strict=True)
            inputs.append(tf.stack([lookup.lookup(columns[column.name]) for column, lookup in pairs]))
        return tuple(inputs)


def side_by_side(inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
    """Returns inputs `[width, batch]` as `[batch, width]`."""
    # No transpose: on a CPU, TensorFlow takes five times as long for it (oneDNN, 1,000 rows of four).
    return tuple(tf.stack(tf.unstack(part), axis=1) for part in inputs)


def _normalized(columns: Mapping[str, tf.Tensor], numbers: Sequence[NumberColumn]) -> tf.Tensor:
    """Returns numeric features as the network sees them, float32 `[numbers, batch]`, with indicators below them.

    Args:
      columns: Tensors `[batch]` by name.
      numbers: What is done with them.
    """
    parts, means, missing = [], [], []
    for column in numbers:
        part, mean = columns[column.name], column.mean
        flag = None if column.required else tf.math.is_nan(part)
        if flag is not None:
            missing.append(tf.cast(flag, tf.float32))
        if column.type == "INT" and mean:
            # The float32 of a large integer, such as a time, has lost what differs: the mean goes in float64.
            part, mean = tf.cast(part, tf.float64) - mean, 0.0
        part = tf.cast(part, tf.float32)
        if flag is not None:
            part = tf.where(flag, tf.constant(column.fill - column.mean + mean, tf.float32), part)
        parts.append(part)
        means.append([mean])
    x = tf.stack(parts)
    if any(mean for (mean,) in means):
        x -= tf.constant(means, tf.float32)
    if any(column.scale != 1.0 for column in numbers):
        x *= tf.constant([[1 / column.scale] for column in numbers], tf.float32)
    return tf.concat([x, tf.stack(missing)], axis=0) if missing else x


def make_preprocessing(
    features: Sequence[Feature],
    label: Feature,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    *,
    normalize: str,
    embedding_dim: int | None = None,
) -> Preprocessing:
    """Returns the preprocessing for a table.

    Args:
      features: The table's features.
      label: Its label.
      statistics: Of the train split.
      normalize: "auto" (centre every feature and divide it by its standard deviation, or by as much more as brings all
        train values to [-5, 5]; z-score the label unless its train values lie in [-10, 10] with a standard deviation of
        at least 0.1), "zscore" (all of them) or "none".
      embedding_dim: Width of every embedding. None: by the vocabulary's size.

    Raises:
      TrainingError: The label is text, or Statistics lack a column of the Schema.
    """
    by_name = {(column.name or column.path.step[0]): column for column in statistics.datasets[0].features}
    if absent := [column.name for column in (*features, label) if column.name not in by_name]:
        raise TrainingError(
            f"Statistics of train have no {', '.join(f'`{name}`' for name in absent)}, which the schema asks for. "
            f"There are: {', '.join(sorted(by_name))}. Make the schema fit the data, or `exclude` the column."
        )
    if label.is_text:
        raise TrainingError(
            f"The label `{label.name}` is text; a regression needs a number. Name a numeric column in "
            "`example_gen.label`, or force its type with `example_gen.numeric`."
        )
    numbers = [
        NumberColumn(feature.name, feature.type, feature.required, *_scaling(by_name[feature.name], normalize))
        for feature in features
        if not feature.is_text
    ]
    texts = [_text_column(feature, by_name[feature.name], embedding_dim) for feature in features if feature.is_text]
    label_mean, label_scale = label_scaling(by_name[label.name].num_stats, normalize)
    return Preprocessing(tuple(numbers), tuple(texts), label_mean, label_scale)


def label_scaling(numbers: statistics_pb2.NumericStatistics, normalize: str) -> tuple[float, float]:
    """Returns the mean and scale by which the label is normalised; 0 and 1 where it is not."""
    usable = math.isfinite(numbers.std_dev) and numbers.std_dev > 0
    own_size = max(abs(numbers.min), abs(numbers.max)) <= MAX_LABEL and numbers.std_dev >= MIN_LABEL_SPREAD
    if not usable or normalize == "none" or (normalize == "auto" and own_size):
        return 0.0, 1.0
    return numbers.mean, numbers.std_dev


def _scaling(column: statistics_pb2.FeatureNameStatistics, normalize: str) -> tuple[float, float, float]:
    """Returns mean and scale that the network's input is made with, and what a missing value is replaced by."""
    numbers = column.num_stats
    mean = numbers.mean if math.isfinite(numbers.mean) else 0.0
    if normalize == "none":
        return 0.0, 1.0, mean
    # Features in [0, 1] are centred too: there x and x² correlate at 0.97, around the mean hardly at all, which saves
    # Adam most of its updates.
    scale = numbers.std_dev
    if normalize == "auto":
        scale = max(scale, (numbers.max - mean) / MAX_INPUT, (mean - numbers.min) / MAX_INPUT)
    return mean, scale if math.isfinite(scale) and scale > 0 else 1.0, mean


def _text_column(
    feature: Feature, column: statistics_pb2.FeatureNameStatistics, embedding_dim: int | None
) -> TextColumn:
    """Takes the vocabulary from the schema's domain, or else from the values of train, most frequent first."""
    ranked = [bucket.label for bucket in column.string_stats.rank_histogram.buckets]
    vocabulary = tuple(dict.fromkeys(feature.vocabulary or ranked))
    if "" not in vocabulary and not (feature.required and vocabulary):  # a lookup table takes no empty vocabulary
        vocabulary = ("", *vocabulary)
    size = len(vocabulary)
    dim = embedding_dim or max(1, min(MAX_EMBEDDING_DIM, size, 1 + math.isqrt(size)))
    return TextColumn(feature.name, feature.required, vocabulary, dim)
