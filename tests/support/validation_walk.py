"""Takes a CSV text through the real steps to its anomalies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.example_gen import generate_examples
from crossnet.components.example_validator import validate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics


@dataclass
class Walk:
    """What the steps made."""

    examples: Examples
    statistics: Statistics
    schema: Schema
    anomalies: Anomalies

    @property
    def found(self):
        """Anomalies as (split, column, rule, severity, count, first)."""
        keys = ("split", "column", "rule", "severity", "count", "first")
        return [tuple(anomaly[key] for key in keys) for anomaly in self.anomalies.anomalies]


def new_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    return folder


def walk(
    folder: Path, *, previous=None, reference=None, schema=None, validator=None, engine=IN_PROCESS, **example_gen
) -> Walk:
    """Runs the four steps.

    Args:
      schema: Text of a reviewed schema, or SchemaGenParams; None: it is inferred.
      validator: ExampleValidatorParams' settings.
      engine: Runs the jobs of the steps.
      example_gen: ExampleGenParams' settings.
    """
    params = schema if isinstance(schema, SchemaGenParams) else SchemaGenParams()
    if isinstance(schema, str):
        reviewed = new_folder(folder, "reviewed") / "schema.pbtxt"
        reviewed.write_text(schema)
        params = SchemaGenParams(schema_file=str(reviewed))
    examples = generate_examples(
        output_dir=new_folder(folder, "examples"), params=ExampleGenParams(**example_gen), engine=engine
    )
    statistics = generate_statistics(
        examples, output_dir=new_folder(folder, "statistics"), params=StatisticsGenParams(), engine=engine
    )
    schema_artifact = infer_schema(
        examples, statistics, output_dir=new_folder(folder, "schema"), params=params, reference=reference
    )
    anomalies = validate_examples(
        examples,
        statistics,
        schema_artifact,
        output_dir=new_folder(folder, "anomalies"),
        params=ExampleValidatorParams(**(validator or {})),
        previous=previous,
        engine=engine,
    )
    return Walk(examples, statistics, schema_artifact, anomalies)


def csv_walk(folder: Path, text: str, **settings) -> Walk:
    """Runs the four steps on a CSV file; the label is `fare`, the last fifth of the rows is eval."""
    source = new_folder(folder, "source") / "rides.csv"
    source.write_text(text)
    settings = {"label": "fare", "eval_fraction": 0.2, "split": "order"} | settings
    return walk(folder, source="csv", input=str(source), **settings)


ZONES = ("JFK", "LGA", "EWR")


def rides(number: int = 100) -> list[list[str]]:
    """Returns rows that are all right: miles 1 to 2, seats 1 to 4, zone, fare; header first."""
    rows = [["miles", "seats", "zone", "fare"]]
    for n in range(number):
        miles = 1 + (n * 37 % number) / number
        rows.append([f"{miles:.4f}", str(1 + n % 4), ZONES[n % 3], f"{2.5 + 3 * miles:.4f}"])
    return rows


def as_csv(rows: list[list[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder, by relative path."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def write_rows(folder: Path, files: int = 3) -> Path:
    """Numbers, text with holes, NaN and infinities, rows that repeat within a file, across files and splits."""
    folder.mkdir()
    for number in range(files):
        lines = ["id,x,zone,y"]
        for row in range(400):
            x = ("nan", "inf", "")[row % 3] if row % 97 == number else f"{row % 50}.{row % 7}"
            lines.append(f"{row // 2 + 100 * number},{x},{'abc'[row % 3] if row % 11 else ''},{row % 13}.5")
        lines += lines[40:60]
        (folder / f"{number}.csv").write_text("\n".join(lines) + "\n")
    return folder
