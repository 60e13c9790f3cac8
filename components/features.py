"""Reads the features and the label from a Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossnet.components import clock

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

SERVING = "SERVING"
TRAINING = "TRAINING"
TIME_FORMATS = {"s": "UNIX_SECONDS", "ms": "UNIX_MILLISECONDS", "us": "UNIX_MICROSECONDS", "ns": "UNIX_NANOSECONDS"}


@dataclass(frozen=True)
class Feature:
    """One column.

    Attributes:
      name: The column's name, also its name in the exported signature.
      type: Its type in the records: "FLOAT", "INT" or "BYTES".
      required: Whether every row has a value.
      vocabulary: All legal values of a text column, UTF-8 text, in the schema's order; empty where it is open.
      time_unit: "s", "ms", "us" or "ns" of a column of whole numbers that are times since 1970; "" for any other.
      categorical: Whether the schema says that whole numbers are categories.
      clock: How whole numbers are times of day: "hhmm" or "hhmmss"; "" for others.
    """

    name: str
    type: str
    required: bool = True
    vocabulary: tuple[str, ...] = ()
    time_unit: str = ""
    categorical: bool = False
    clock: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the values are bytes."""
        return self.type == "BYTES"

    @property
    def dtype(self) -> str:
        """Type of the model's input: "string", "int64" or "float32".

        An integer column with missing values is float32, because NaN marks them.
        """
        if self.is_text:
            return "string"
        return "int64" if self.type == "INT" and self.required else "float32"


def is_retired(column: schema_pb2.Feature) -> bool:
    """Whether a schema's column is DEPRECATED or DISABLED: it may be in the data, and is ignored."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    return column.lifecycle_stage in (schema_pb2.DEPRECATED, schema_pb2.DISABLED)


def is_extra(column: schema_pb2.Feature) -> bool:
    """Whether a schema's column is in no environment: recorded with the rows, neither a feature nor the label."""
    return {SERVING, TRAINING} <= {*column.not_in_environment}


def time_format(unit: str) -> schema_pb2.TimeDomain.IntegerTimeFormat.ValueType:
    """Returns how a schema names times since 1970 in "s", "ms", "us" or "ns"."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    return schema_pb2.TimeDomain.IntegerTimeFormat.Value(TIME_FORMATS[unit])


def _time_unit(column: schema_pb2.Feature) -> str:
    from tensorflow_metadata.proto.v0 import schema_pb2

    if column.type != schema_pb2.INT:
        return ""
    return next((u for u in TIME_FORMATS if column.time_domain.integer_format == time_format(u)), "")


def clock_form(column: schema_pb2.Feature) -> str:
    """Returns "hhmm" or "hhmmss" for a schema's column of times of day as such whole numbers; "" for any other."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    if column.type != schema_pb2.INT:
        return ""
    given = column.time_of_day_domain.string_format
    return next((form for form, written in clock.FORMATS.items() if written == given), "")


def read_schema(schema: schema_pb2.Schema) -> tuple[tuple[Feature, ...], Feature]:
    """Returns the features in the schema's order, and the label.

    The label is the column that is `not_in_environment: "SERVING"`; one that is not in "TRAINING" either is neither.

    Raises:
      ValueError: There is not exactly one label.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    domains = {domain.name: tuple(domain.value) for domain in schema.string_domain}
    features: list[Feature] = []
    labels: list[Feature] = []
    for column in schema.feature:
        if is_retired(column) or is_extra(column):
            continue
        values = tuple(column.string_domain.value) or domains.get(column.domain, ())
        feature = Feature(
            name=column.name,
            type=schema_pb2.FeatureType.Name(column.type),
            required=column.presence.min_fraction == 1.0,
            vocabulary=values,
            time_unit=_time_unit(column),
            categorical=column.int_domain.is_categorical,
            clock=clock_form(column),
        )
        (labels if SERVING in column.not_in_environment else features).append(feature)
    if len(labels) != 1:
        raise ValueError(
            f'A schema needs exactly one feature with `not_in_environment: "{SERVING}"`, the label. '
            f"Received {len(labels)}: {[label.name for label in labels]}."
        )
    return tuple(features), labels[0]
