"""Runs SchemaGen: infers the schema, or takes one agreed on before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import SCHEMA_FILE, Schema, keep_parsed
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.clock import FORMATS, HHMM, HHMMSS
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.features import SERVING, TRAINING, clock_form, is_extra, is_retired, time_format
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.statistics.stored import summaries


def infer_schema(
    examples: Examples,
    statistics: Statistics,
    *,
    output_dir: Path,
    params: SchemaGenParams,
    reference: Schema | None = None,
) -> Schema:
    """Writes the schema that this run's data is judged by.

    That is the reviewed file where one is named; else the last blessed run's schema where the settings ask for it and
    such a run exists; else a schema inferred from all splits of this run's data.

    Returns:
      Counts: `columns`. Properties: `inferred`, and `source`: "data", "schema_file" or "last_blessed".

    Raises:
      SettingsError: The reviewed file does not exist.
      DataError: It does not parse, or does not name the label.
    """
    if params.schema_file:
        source, text = "schema_file", _read(Path(params.schema_file))
        schema = parse_schema(text, params.schema_file, examples.label, examples.extra, examples.clock)
    elif params.reference == "last_blessed" and reference is not None:
        source, text = "last_blessed", (reference.path / SCHEMA_FILE).read_text(encoding="utf-8")
        name = f"the last blessed run's {reference.path / SCHEMA_FILE}"
        schema = parse_schema(text, name, examples.label, examples.extra, examples.clock)
    else:
        schema = schema_of(
            [*examples.column_types.items()],
            [summaries(statistics, split) for split in examples.splits],
            label=examples.label,
            extra=examples.extra,
            optional=examples.holes_without_label,
            times=examples.time_units,
            clock=examples.clock,
            max_domain=params.max_domain,
        )
        source, text = "data", text_format.MessageToString(schema, as_utf8=True)
    # A reviewed file is copied unchanged, with its comments.
    (output_dir / SCHEMA_FILE).write_text(text, encoding="utf-8")
    keep_parsed(text, schema)
    return Schema(
        output_dir,
        counts={"columns": len(schema.feature)},
        properties={"inferred": source == "data", "source": source},
    )


def schema_of(
    columns: Sequence[tuple[str, str]],
    splits: Sequence[dict[str, statistics_pb2.FeatureNameStatistics]],
    *,
    label: str,
    extra: Collection[str] = (),
    optional: Collection[str] = (),
    times: Mapping[str, str] = MappingProxyType({}),
    clock: Mapping[str, str] = MappingProxyType({}),
    max_domain: int,
) -> schema_pb2.Schema:
    """Returns a schema that describes every split.

    Args:
      columns: Name and type ("FLOAT", "INT", "BYTES") of each column.
      splits: For each split, the statistics by column.
      label: The column that is absent when the model is served.
      extra: Columns that are neither features nor the label.
      optional: Columns that may lack a value although they have one in every row of the splits.
      times: The unit of each column of times since 1970. They get no range: the next rows are always later.
      clock: The form of each column of times of day, likewise without a range.
      max_domain: Text columns with at most this many distinct values get a domain.
    """
    schema = schema_pb2.Schema(default_environment=[TRAINING, SERVING])
    for name, type_name in columns:
        feature = schema.feature.add(name=name, type=schema_pb2.FeatureType.Value(type_name))
        if name == label:
            feature.not_in_environment.append(SERVING)
        if name in extra:
            feature.not_in_environment.extend([TRAINING, SERVING])
        statistics = [split[name] for split in splits]
        if type_name == "BYTES":
            _describe_presence(feature, [column.string_stats.common_stats for column in statistics])
            _describe_texts(feature, [column.string_stats for column in statistics], max_domain)
        else:
            _describe_presence(feature, [column.num_stats.common_stats for column in statistics])
            _describe_numbers(feature, [column.num_stats for column in statistics])
        if name in times and name != label:
            feature.time_domain.integer_format = time_format(times[name])  # in place of the range
        if name in clock:
            feature.time_of_day_domain.string_format = FORMATS[clock[name]]
        if name in optional and name != label:
            feature.presence.ClearField("min_fraction")
    return schema


def _describe_presence(feature: schema_pb2.Feature, splits: Sequence[statistics_pb2.CommonStatistics]) -> None:
    """Sets whether every row has a value, and how many."""
    filled = [common for common in splits if common.num_non_missing]
    if not filled:
        return
    feature.presence.min_count = 1
    if not any(common.num_missing for common in splits):
        feature.presence.min_fraction = 1.0
    feature.value_count.min = min(common.min_num_values for common in filled)
    feature.value_count.max = max(common.max_num_values for common in filled)


def _describe_texts(
    feature: schema_pb2.Feature, splits: Sequence[statistics_pb2.StringStatistics], max_domain: int
) -> None:
    """Lists all values where they are few; the column stays open where they are many or not UTF-8."""
    values = {bucket.label for texts in splits for bucket in texts.rank_histogram.buckets}
    all_listed = all(len(texts.rank_histogram.buckets) == texts.unique for texts in splits)
    if values and all_listed and len(values) <= max_domain:
        feature.string_domain.name = feature.name
        feature.string_domain.value.extend(sorted(values))


def _describe_numbers(feature: schema_pb2.Feature, splits: Sequence[statistics_pb2.NumericStatistics]) -> None:
    """Sets the range of the finite values; NaN and infinity are never part of it."""
    filled = [numbers for numbers in splits if any(len(histogram.buckets) for histogram in numbers.histograms)]
    low, high = (min((n.min for n in filled), default=None), max((n.max for n in filled), default=None))
    if feature.type == schema_pb2.FLOAT:
        feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
        if low is not None and high is not None:
            feature.float_domain.min, feature.float_domain.max = low, high
    elif low is not None and high is not None:
        # Statistics hold doubles, rounded outward where an integer needs more than 53 bits.
        feature.int_domain.min, feature.int_domain.max = max(int(low), -(2**63)), min(int(high), 2**63 - 1)


def _read(path: Path) -> str:
    """Returns the text of a reviewed schema."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise SettingsError(
            f"`schema_gen.schema_file` names `{path}`, which is not a file. Expected a schema.pbtxt. A run "
            "writes one into artifacts/schema_gen/: review it and keep it beside your config file."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"`{path}` is not a schema in text format: byte {error.start} is not UTF-8. Save the file as UTF-8."
        ) from None


def parse_schema(
    text: str, name: str, label: str, extra: Collection[str] = (), clock: Mapping[str, str] = MappingProxyType({})
) -> schema_pb2.Schema:
    """Returns the schema written in `text`.

    Args:
      text: A tensorflow_metadata Schema in protobuf's text format.
      name: Its name in an error, such as its path.
      label: The column that this run predicts; the schema must mark it as its label.
      extra: Columns that are neither features nor the label; the schema must mark those that it names.
      clock: The form of each column of times of day, likewise.

    Raises:
      DataError: It does not parse, or cannot be used to judge this run's data; all problems are listed.
    """
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        reason = str(error).partition(" : ")[2] or str(error)
        raise DataError(
            f"{name}:{error.GetLine()}: {reason.strip()} Expected a tensorflow_metadata Schema in text "
            "format. Fix the line."
        ) from None
    if problems := _problems(schema, label, extra, clock):
        raise DataError(f"{name} cannot be used: {'; '.join(problems)}. Fix the schema.")
    return schema


def _problems(schema: schema_pb2.Schema, label: str, extra: Collection[str], clock: Mapping[str, str]) -> list[str]:
    """Returns the reasons why a well-formed schema cannot be used."""
    problems = []
    names = [feature.name for feature in schema.feature]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"{_listed(repeated)} occurs more than once")
    domains = {domain.name for domain in schema.string_domain}
    for feature in schema.feature:
        if feature.type not in (schema_pb2.FLOAT, schema_pb2.INT, schema_pb2.BYTES):
            received = schema_pb2.FeatureType.Name(feature.type)
            problems.append(f"`{feature.name}` has type {received}, expected FLOAT, INT or BYTES")
        if feature.domain and feature.domain not in domains:
            problems.append(f"`{feature.name}` has domain '{feature.domain}', which is not the name of a string_domain")
    current = [feature for feature in schema.feature if not (is_retired(feature) or is_extra(feature))]
    if unmarked := [feature.name for feature in current if feature.name in extra]:
        problems.append(
            f"{_listed(unmarked)}, which `example_gen.weight` or `example_gen.group` names, needs "
            f'`not_in_environment: "{TRAINING}"` and `not_in_environment: "{SERVING}"`'
        )
    for form, setting in ((HHMM, "clock"), (HHMMSS, "clock_seconds")):
        named = [feature for feature in current if clock.get(feature.name) == form]
        if unmarked := [feature.name for feature in named if clock_form(feature) != form]:
            problems.append(
                f"{_listed(unmarked)}, which `example_gen.{setting}` names, needs "
                f'`time_of_day_domain {{ string_format: "{FORMATS[form]}" }}` in place of its domain'
            )
    labels = [feature.name for feature in current if SERVING in feature.not_in_environment]
    if labels != [label]:
        marked = f"marks {_listed(labels)}" if labels else "marks none"
        problems.append(
            f'the label is the one feature with `not_in_environment: "{SERVING}"`; this run\'s `example_gen.label` is '
            f"`{label}`, the schema {marked}"
        )
    return problems


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
