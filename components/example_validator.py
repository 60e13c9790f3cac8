"""Runs ExampleValidator: finds what is wrong with the data before training.

With a schema inferred from this run's own data, only faults of any table are errors: NaN, infinity, a label that is
missing or has one value. Types, presence, ranges, categories and the set of columns are checked where the schema was
agreed on before: a reviewed file or the last blessed run's. Repeated rows, skew and drift are warnings unless a limit
of `[example_validator]` is crossed. The test split is not looked at.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from crossnet.components import progress
from crossnet.components.artifacts.anomalies import ANOMALIES_FILE, Anomalies, schema_diff_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.features import clock_form, is_extra, is_retired, read_schema
from crossnet.components.files import write_json
from crossnet.components.formats import counted
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.records.dataset import check_count, read_columns
from crossnet.components.sources.provenance import locate
from crossnet.components.statistics.stored import stored_columns
from crossnet.components.validation import column_rules
from crossnet.components.validation.column_rules import ERROR, Columns, Finding
from crossnet.components.validation.repeats import RowHashes
from crossnet.components.validation.row_hashes import find_repeats, hash_rows, telling_columns
from crossnet.components.validation.row_rules import (
    RowRule,
    RowScan,
    RowTally,
    clock_rule,
    data_rules,
    schema_rules,
)

MAX_LISTED = 10
MEASURES = {
    "L-infinity": anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY,
    "Jensen-Shannon": anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE,
}


def validate_examples(
    examples: Examples,
    statistics: Statistics,
    schema: Schema,
    *,
    output_dir: Path,
    params: ExampleValidatorParams,
    previous: Statistics | None = None,
    engine: Engine = IN_PROCESS,
) -> Anomalies:
    """Writes all findings, errors first; the runner stops the run where one is an error.

    Args:
      previous: Statistics of the last blessed run, to measure drift against; None where no run was blessed.
      engine: Reads the shards.
    """
    by_split = {split: stored_columns(statistics, split) for split in examples.splits}
    for columns in by_split.values():
        for name in examples.extra:  # checked by ExampleGen, and not what a model sees
            del columns[name]
    proto = schema.proto()
    agreed = None if schema.inferred else proto
    found = [
        *_check_statistics(examples, by_split, agreed, previous, params),
        *_check_rows(examples, by_split, agreed, params, output_dir, engine),
    ]
    found.sort(key=lambda finding: finding.severity != ERROR)
    records = [_record(examples, finding) for finding in found]
    for split in examples.splits:
        own = [pair for pair in zip(found, records, strict=True) if pair[0].split in ("", split)]
        file = schema_diff_file(output_dir, split)
        file.parent.mkdir()
        file.write_bytes(_proto(own, proto).SerializeToString(deterministic=True))
    write_json(output_dir / ANOMALIES_FILE, {"anomalies": records})
    errors = sum(finding.severity == ERROR for finding in found)
    anomalies = Anomalies(output_dir, counts={"errors": errors, "warnings": len(found) - errors})
    return dataclasses.replace(anomalies, properties={"summary": explain(anomalies)})


def _check_statistics(
    examples: Examples,
    by_split: Mapping[str, Columns],
    agreed: schema_pb2.Schema | None,
    previous: Statistics | None,
    params: ExampleValidatorParams,
) -> Iterator[Finding]:
    """Yields the findings from schema and statistics; `agreed` is None where the schema comes from this run's data."""
    types = {name: kind for name, kind in examples.column_types.items() if name not in examples.extra}
    train, *others = examples.splits
    for split in examples.splits:
        rows = examples.counts[split]
        if rows and agreed is not None:
            features = {f.name: f for f in agreed.feature if not (is_retired(f) or is_extra(f))}
            retired = {feature.name for feature in agreed.feature} - set(features)
            current = {name: type_name for name, type_name in types.items() if name not in retired}
            yield from column_rules.check_columns(split, rows, features, current)
    label = examples.label
    constant = list(column_rules.check_label(train, examples.counts[train], label, by_split[train][label].summary))
    yield from constant
    for split in others:
        if not constant:
            yield from column_rules.check_label(split, examples.counts[split], label, by_split[split][label].summary)
        yield from column_rules.check_skew(split, examples.counts[split], by_split[train], by_split[split], params)
    if previous is not None:
        before = stored_columns(previous, "train")
        yield from column_rules.check_drift(train, examples.counts[train], before, by_split[train], params)


def _check_rows(
    examples: Examples,
    by_split: Mapping[str, Columns],
    agreed: schema_pb2.Schema | None,
    params: ExampleValidatorParams,
    output_dir: Path,
    engine: Engine,
) -> Iterator[Finding]:
    """Yields the findings of one pass over the rows, shard by shard."""
    counts = {split: examples.counts[split] for split in examples.splits}
    key = _key_column(examples)
    first = telling_columns(by_split[examples.splits[0]], sum(counts.values()))
    with tempfile.TemporaryDirectory(dir=output_dir, prefix=".rows-") as scratch:
        shards = {split: examples.shards(split) for split in counts}
        jobs = [
            (examples, by_split[split], agreed, split, shard, first, key, scratch)
            for split, paths in shards.items()
            for shard in paths
        ]
        engine = engine.for_bytes(sum(path.stat().st_size for paths in shards.values() for path in paths))
        parts = engine.map(_scan_shard, jobs)
        files, key_files = [], []
        for split, rows in counts.items():
            scan = RowScan(split, rows, list(_row_rules(examples, by_split[split], agreed)))
            progress.begin(f"rows of {split}", progress.by_size(shards[split]))
            for shard, (tally, folder) in zip(shards[split], parts, strict=False):
                progress.reached(shard)
                scan.tally.merge(tally)
                files.append(folder / "rows")
                key_files.append(folder / "keys")
            check_count(examples, split, scan.tally.rows)
            yield from scan.findings()
        repeats, leaked = find_repeats(examples, shards, first, files, scratch, engine)
        yield from column_rules.check_duplicates(repeats, sum(counts.values()), params.max_duplicate_fraction)
        for split, leak in leaked.items():
            yield from column_rules.check_row_leakage(split, leak, counts[split], params.max_leaked_fraction)
        if key:
            for split, leak in RowHashes(key_files, counts).find_repeats()[1].items():
                yield from column_rules.check_key_leakage(split, key, leak, counts[split])


def _scan_shard(
    examples: Examples,
    statistics: Columns,
    agreed: schema_pb2.Schema | None,
    split: str,
    shard: Path,
    first: Sequence[str],
    key: str,
    scratch: str,
) -> tuple[RowTally, Path]:
    """Returns what was counted in a shard, and a new folder with the hashes of its rows, by `first`, and of their keys.

    Other columns are not read, but where a rule or the key needs them.
    """
    folder = Path(tempfile.mkdtemp(dir=scratch))
    scan = RowScan(split, examples.counts[split], list(_row_rules(examples, statistics, agreed)))
    with (folder / "rows").open("wb") as rows, (folder / "keys").open("wb") as keys:
        names = dict.fromkeys([*first, *(rule.column for rule in scan.rules), *([key] if key else [])])
        for columns in read_columns(examples, split, shard=shard, columns=[*names]):
            scan.update(columns)
            rows.write(hash_rows({name: columns[name] for name in first}).tobytes())
            if key:
                keys.write(hash_rows({key: columns[key]}).tobytes())
    return scan.tally, folder


def _key_column(examples: Examples) -> str:
    """Returns the recorded column whose values must not be in two splits; "" where no such column exists.

    ExampleGen splits by the key as the source spells it, so "7" and "07" may be in different splits, although the
    model sees one number. A float is not a key: two different ones may be equal as float32.
    """
    if examples.properties["split"] != "key":
        return ""
    wanted = examples.properties["split_column"]
    for column in examples.columns:
        if wanted in (column.name, column.source_name) and column.type != "FLOAT":
            return column.name
    return ""


def _row_rules(examples: Examples, statistics: Columns, agreed: schema_pb2.Schema | None) -> Iterator[RowRule]:
    """Yields the rules of every column that some rows may break, according to the statistics."""
    clock = examples.clock | {f.name: form for f in (agreed.feature if agreed else ()) if (form := clock_form(f))}
    for name, column in statistics.items():
        yield from data_rules(name, column.summary, is_label=name == examples.label)
        if name in clock and column.summary.HasField("num_stats"):
            yield clock_rule(name, column, clock[name])
    if agreed is None:
        return
    features, label = read_schema(agreed)
    vocabularies = {feature.name: feature.vocabulary for feature in (*features, label)}
    types = examples.column_types
    for feature in agreed.feature:
        name = feature.name
        if name in vocabularies and name in types and column_rules.fits(types[name], feature):
            yield from schema_rules(feature, vocabularies[name], statistics[name].summary, is_label=name == label.name)


def _record(examples: Examples, finding: Finding) -> dict[str, Any]:
    """Returns a finding as written to anomalies.json, with its place in the source."""
    first = "" if finding.first is None else locate(examples, *finding.first)
    return {
        "split": finding.split,
        "column": finding.column,
        "rule": finding.rule.name,
        "severity": finding.severity,
        "count": finding.count,
        "rows": finding.rows,
        "first": first,
        "message": finding.text + (f" (first: {first})" if first else ""),
    }


def _proto(found: Sequence[tuple[Finding, dict[str, Any]]], schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """Returns one split's anomalies in the layout of TFX's ExampleValidator."""
    proto = anomalies_pb2.Anomalies(baseline=schema, anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    for finding, record in found:
        info = proto.anomaly_info[finding.column] if finding.column else proto.dataset_anomaly_info
        if finding.column:
            info.path.step[:] = [finding.column]
        info.severity = max(info.severity, anomalies_pb2.AnomalyInfo.Severity.Value(finding.severity.upper()))
        name = finding.rule.name.replace("_", " ").capitalize()
        info.short_description = "Multiple reasons" if info.reason else name
        info.description = f"{info.description} {record['message']}.".strip()
        info.reason.add(
            type=finding.reason or finding.rule.reason, short_description=name, description=f"{record['message']}."
        )
        if finding.distance is not None:
            measured = proto.drift_skew_info.add()
            measured.path.step.append(finding.column)
            kind = measured.skew_measurements if finding.rule is column_rules.SKEW else measured.drift_measurements
            kind.add(type=MEASURES[finding.distance.measure], value=finding.distance.value, threshold=finding.threshold)
    return proto


def explain(anomalies: Anomalies) -> str:
    """Returns the errors as sentences, else the warnings; "" where there are neither.

    For example: "2 anomalies in `eval`: `fare` is missing in 14 of 2,000 rows (first: rides.csv:871); `miles` reaches
    812.0, schema allows 0 to 200, in 1 of 2,000 rows (first: rides.csv:1204). Fix the source, or name a reviewed
    schema in `schema_gen.schema_file`."
    """
    severity = "error" if anomalies.has_errors else "warning"
    chosen = [anomaly for anomaly in anomalies.anomalies if anomaly["severity"] == severity]
    chosen.sort(key=lambda anomaly: (anomaly["split"] != "", anomaly["split"] != "train", anomaly["split"]))
    one, many = ("anomaly", "anomalies") if severity == "error" else ("warning", "warnings")
    sentences = []
    for split, group in itertools.groupby(chosen, key=lambda anomaly: anomaly["split"]):
        clauses = [anomaly["message"] for anomaly in group]
        found = counted(len(clauses), one, many) + (f" in `{split}`" if split else "")
        more = f"; {len(clauses) - MAX_LISTED:,} more in anomalies.json" if len(clauses) > MAX_LISTED else ""
        sentences.append(f"{found}: {'; '.join(clauses[:MAX_LISTED])}{more}.")
    if severity == "error":
        remedies = {rule.remedy for rule in column_rules.RULES if rule.name in {anomaly["rule"] for anomaly in chosen}}
        sentences.append(f"Fix the source{''.join(f', or {remedy}' for remedy in sorted(remedies - {''}))}.")
    return " ".join(sentences)
