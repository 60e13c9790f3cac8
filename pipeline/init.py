"""Reads the first rows of a CSV file and writes its config."""

from __future__ import annotations

import itertools
import math
import re
import statistics
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import tomli_w

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.files import MAX_FOLDER_LETTERS, write_file
from crossnet.components.formats import counted, number
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import Source
from crossnet.components.sources.csv import plan_csv
from crossnet.components.sources.csv_lines import read_header
from crossnet.components.sources.files import check_name
from crossnet.serving.protocol.header_names import spellings
from crossnet.serving.protocol.printable import listed, shown
from crossnet.serving.protocol.suggestions import did_you_mean

SAMPLE_ROWS = 10_000
KIND_WORDS = {
    "FLOAT": "number",
    "INT": "whole number",
    "BOOL": "true or false, learned as 1 and 0",
    "TIME": "date or time, learned as seconds since 1970 (UTC)",
    "TIME_UTC": "time with its zone, learned as seconds since 1970",
    "BYTES": "text",
}
FEW_ROWS = 10_000  # below this many rows, batches and the learning rate are smaller


@dataclass(frozen=True)
class CsvProfile:
    """What the first rows of a table show; columns have their features' names.

    Attributes:
      label: The column to predict.
      kinds: How cells are read ("FLOAT", "INT", "BOOL", "TIME", "TIME_UTC", "BYTES") by column.
      identifiers: Columns in which no value occurs twice, as in a key.
      codes: Columns with few distinct whole numbers, which may be categories.
      label_std: The label's standard deviation in the sample, in its unit.
      rows: Number of rows read, at most SAMPLE_ROWS.
    """

    label: str
    kinds: Mapping[str, str]
    identifiers: tuple[str, ...]
    codes: tuple[str, ...]
    label_std: float
    rows: int


def profile_csv(file: Path, label: str) -> CsvProfile:
    """Reads the first rows of `file`.

    Args:
      file: A CSV file with a header.
      label: The column to predict, as the header has it or under its feature's name.

    Raises:
      SettingsError: The file or the label is not there; the message lists the columns.
      DataError: The file cannot be read as CSV.
    """
    if not file.is_file():
        raise SettingsError(f"There is no file `{file}`. Name a CSV file whose first line is a header.")
    check_name(file)
    header = read_header(file)
    spelling = spellings(header)
    if label not in spelling:
        raise SettingsError(
            f"`{file.name}` has no column `{shown(label)}`.{did_you_mean(label, spelling)} "
            f"Its columns are: {listed(header)}. Name the column to predict with --label."
        )
    source = plan_csv([file], ExampleGenParams(source="csv", input=str(file), label=label))
    batches = list(_sample(source))
    if not batches:
        raise DataError(f"`{file.name}` has a header and no rows. Expected at least two. Name a file with rows.")
    table = pa.Table.from_batches(batches)
    kinds = {column.name: source.kinds[column.source_name] for column in source.columns}
    label = next(column.name for column in source.columns if column.source_name == spelling[label])
    distinct = {name: len(table[name].drop_null().unique()) for name in kinds}
    features = [name for name in kinds if name != label]
    rows = len(table)
    labels = [value for value in table[label].drop_null().to_pylist() if math.isfinite(value)]
    return CsvProfile(
        label=label,
        kinds=kinds,
        identifiers=tuple(n for n in features if rows > 20 and distinct[n] == rows and kinds[n] in ("INT", "BYTES")),
        codes=tuple(n for n in features if kinds[n] == "INT" and distinct[n] <= 20 < rows),
        label_std=statistics.pstdev(labels) if labels else 0.0,
        rows=rows,
    )


def _sample(source: Source) -> Iterator[pa.RecordBatch]:
    left = SAMPLE_ROWS
    for batch in source.read(0, 1):
        yield batch.rows.slice(0, left)
        left -= batch.rows.num_rows
        if left <= 0:
            return


def write_config(file: Path, profile: CsvProfile, output: Path) -> str:
    """Writes a config for a CSV file and returns its text.

    Args:
      file: The CSV file, named relative to `output` where it is below the folder of that.
      profile: What `profile_csv` found.
      output: The TOML file.

    Raises:
      SettingsError: `output` exists already, or its folder is not there or not writable.
      OSError: It cannot be written for another reason; then there is nothing.
    """
    if output.exists():
        raise _exists(output)
    few = profile.rows < FEW_ROWS
    limit = float(f"{profile.label_std / 2:.2g}") if profile.label_std else 1.0
    columns = "\n".join(
        f"#   {name}: {KIND_WORDS[kind]}" for name, kind in profile.kinds.items() if name != profile.label
    )
    text = f"""\
# Made by `crossnet init` from {file.name}. Run it with: crossnet run --config {output.name}
# Each section's settings and their defaults: `crossnet run` writes all of them to runs/<run>/config.toml.
models = ["cross_layer", "tfrs_cross", "dense"]   # candidates in order of preference; the last is the baseline

[example_gen]
source = "csv"
{_line("input", _input_path(file, output))}   # relative to this file; a glob such as "rides/*.csv" is fine
{_line("label", profile.label)}
# The other columns, as read from the first {counted(profile.rows, "row")}:
{columns}
{_line("exclude", list(profile.identifiers))}   # not features{_because(profile.identifiers, "no value occurs twice")}
{_line("text", [])}   # numbers that are categories{_because(profile.codes, "few distinct values in", profile.codes)}
split = "hash"        # a row keeps its split when rows are added; also: order, random, key, time, folders
eval_fraction = 0.1

[trainer]
epochs = 100
batch_size = {32 if few else 1000}
learning_rate = {0.02 if few else 0.05}

[dense]
learning_rate = 0.003   # at a cross network's rate, a dense network's units die

[evaluator]
# The label's standard deviation in these rows is {number(profile.label_std)}: the RMSE of always predicting the mean.
max_rmse = {limit}        # in the label's unit; half of that as a start, change it to what you need
min_improvement = 0.0   # share by which RMSE must be below the baseline's

[pusher]
{_line("model_name", _model_name(file))}
"""
    tomllib.loads(text)  # the names in it come from the user: make sure that it can be read
    _write(text, output)
    return text


def _write(text: str, output: Path) -> None:
    try:
        write_file(output, text, replace=False)
    except FileExistsError:  # another process has made it meanwhile
        raise _exists(output) from None
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise SettingsError(
            f"Cannot write `{output}`: {error.strerror}. Create its folder, or name another file with --output."
        ) from None


def _exists(output: Path) -> SettingsError:
    return SettingsError(f"`{output}` exists already. Name another file with --output, or remove it.")


def _input_path(file: Path, output: Path) -> str:
    """Returns the path of `file`, relative to the folder of `output` where it is in there."""
    path, folder = file.absolute(), output.absolute().parent
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _line(key: str, value: object) -> str:
    if isinstance(value, list):
        return f"{key} = [{', '.join(_line('x', item).partition(' = ')[2] for item in value)}]"
    return tomli_w.dumps({key: value}).strip()


def _because(names: tuple[str, ...], reason: str, shown: tuple[str, ...] = ()) -> str:
    if not names:
        return ""
    return f": {reason}" + (f" {', '.join(itertools.islice(shown, 5))}" if shown else "")


def _model_name(file: Path) -> str:
    """Returns a name for the table's model that `crossnet.components.files.is_folder_name` accepts."""
    return re.sub(r"[^A-Za-z0-9]", "_", file.name.partition(".")[0]).lstrip("_")[:MAX_FOLDER_LETTERS] or "model"
