"""Settings of ExampleGen: where rows come from and how they are split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from crossnet.components.params.setting import PathKind, setting
from crossnet.serving.protocol.cell_values import TIME_UNITS
from crossnet.serving.protocol.column_rules import problems_of_new_names
from crossnet.serving.protocol.csv_format import DECIMALS, CsvFormat
from crossnet.serving.protocol.printable import shown

INTEGER_SOURCES = ("csv", "parquet", "arrow", "sql")  # that can read 5.0 as the whole number 5


@dataclass(frozen=True, kw_only=True)
class ExampleGenParams:
    """Where rows come from and how they are split."""

    source: str = setting(
        "synthetic",
        "where rows come from",
        choices=("synthetic", "csv", "parquet", "arrow", "jsonl", "tfrecord", "sql"),
    )
    input: str = setting(
        "",
        "path, folder or glob, relative to the config file; folders named NAME=VALUE below it are columns; may be "
        "compressed (.gz, .bz2, .zst, .lz4)",
        path=PathKind.INPUT,
    )
    input_pattern: str = setting(
        "", "instead of `input`: a path with {SPAN} and, if wanted, {VERSION}", path=PathKind.INPUT
    )
    query: str = setting("", "`sql`: one SELECT, or the path of a .sql file that holds one", path=PathKind.QUERY)
    connection: str = setting(
        "",
        "`sql`: where the query runs: sqlite:///FILE, duckdb:///FILE or postgresql://...; ${NAME} stands for an "
        "environment variable; empty: DuckDB over files",
        path=PathKind.QUERY,
    )
    query_folder: str = setting(
        "",
        "`sql`: where relative paths in `query` and `connection` begin; empty: the config file's folder",
        path=PathKind.INPUT,
    )
    span: int | None = setting(None, "the span to read; none: the newest", least=0)
    version: int | None = setting(None, "the version of that span; none: the newest", least=0)
    label: str = setting("y", "the column to predict")
    rename: Mapping[str, str] = setting(
        {},
        'new names by a column\'s name in the source: { "Trip Miles (mi)" = "miles" }; requests and reports then have '
        "the new name, settings either",
    )
    exclude: tuple[str, ...] = setting((), "columns that are not features", any_order=True)
    numeric: tuple[str, ...] = setting((), "columns forced to be numbers", any_order=True)
    text: tuple[str, ...] = setting((), "columns forced to be text", any_order=True)
    where: str = setting(
        "",
        "only rows for which this condition in SQL is true, such as fare > 0 AND zone IS NOT NULL; it may name columns "
        "of `exclude`; needs the extra `sql`",
    )
    integer: tuple[str, ...] = setting(
        (),
        "csv, parquet, arrow, sql: columns forced to be whole numbers: 5.0 is 5, and 5.5 is an error",
        any_order=True,
    )
    boolean: tuple[str, ...] = setting(
        (), "csv: columns of truth values in words such as yes and no, Y and N, t and f, 1 and 0", any_order=True
    )
    date_format: Mapping[str, str] = setting(
        {}, 'csv: the form of a column\'s dates, as of strptime, by column: { day = "%d.%m.%Y" }'
    )
    time_unit: Mapping[str, str] = setting(
        {},
        'the unit of a column of times, by column: { pickup = "ms" }; s, ms, us or ns, and finer parts are dropped; '
        "without: seconds, or the coarsest unit in which all are whole. Whole numbers that it names are times since "
        "1970 in that unit",
    )
    clock: tuple[str, ...] = setting(
        (),
        "columns of whole numbers that are times of day, hhmm: 830 is 8:30, and 0 and 2400 are midnight; the model "
        "computes minutes of them, so that a request sends 830 too",
        any_order=True,
    )
    clock_seconds: tuple[str, ...] = setting(
        (),
        "likewise with seconds, hhmmss: 83000 is 8:30:00; the model computes seconds of them",
        any_order=True,
    )
    null_values: tuple[str, ...] = setting(
        ("",), "csv: cells that are missing where a column is not text; the empty cell always is", any_order=True
    )
    null_text: tuple[str, ...] = setting(
        (), "csv: columns of text in which `null_values` are missing too; in others they are words", any_order=True
    )
    nan: str = setting("error", "what NaN is in a column of numbers", choices=("error", "missing"))
    decimal: str = setting(
        ".",
        "csv: the mark before a number's fraction; with a comma, 0.5 is read too, but not 1.250, which may be "
        "thousands; ,. reads that as well",
        choices=DECIMALS,
    )
    thousands: str = setting("", "csv: the mark between groups of a number's digits, such as a comma; empty: none")
    unlabelled: str = setting(
        "drop", "rows whose label is empty or NaN: leave them out, counted, or stop", choices=("drop", "error")
    )
    weight: str = setting(
        "", "the column of the rows' weights, numbers of at least 0; it is kept, and is not a feature"
    )
    group: str = setting(
        "",
        "the column of what rows belong to; it is kept, and is not a feature; `hash` and `random` split by it, so that "
        "a group is in one split",
    )
    sample: float = setting(
        1.0,
        "share of the rows to use, chosen by seed and content (`key`: by key); a larger share holds a smaller one",
        above=0,
        most=1,
    )
    delimiter: str = setting(",", "csv: one character between cells, such as ; or | or \\t")
    quote: str = setting('"', "csv: one character around cells that hold delimiters or line breaks; empty: none")
    escape: str = setting("", "csv: one character before a quote or delimiter that is part of a cell; empty: none")
    encoding: str = setting("utf-8", "csv: how its text is encoded, as Python names it, such as cp1252 or utf-16")
    comment: tuple[str, ...] | str = setting(
        "",
        'csv: how lines begin that are left out, such as #, or a list of such: ["Total", "Source:"]; empty: none',
        any_order=True,
    )
    skip_rows: int = setting(0, "csv: lines before the header that are left out", least=0)
    header: bool = setting(True, "csv: whether the first row names the columns; without: column_1, column_2 ...")
    names: tuple[str, ...] = setting((), "csv: the columns' names, in place of those in the file")
    split: str = setting(
        "order",
        "which rows are eval: order (the last ones), random (by row number and seed), hash (by the row's content), "
        "key (by one column's), time, folders (as given: train/, eval/ and, if there, test/)",
        choices=("order", "random", "hash", "key", "time", "folders"),
    )
    eval_fraction: float = setting(0.1, "share of rows in eval", above=0, below=1)
    test_fraction: float = setting(
        0.0, "share of rows in test, a split that no step and no rule reads, only `crossnet evaluate`", least=0, below=1
    )
    stratify: bool = setting(
        False, "`hash` and `random`: whether each tenth of the rows, by their label, is split by the same shares"
    )
    split_column: str = setting("", "the column of `key` and `time`")
    split_time: str = setting("", "`time`: rows from this moment on are eval; empty: the newest eval_fraction of rows")
    generator: str = setting("article", "synthetic: the article's rows or any number", choices=("article", "sharded"))
    num_examples: int = setting(100_000, "synthetic: rows", least=2)
    num_features: int = setting(3, "synthetic: features; those beyond the third are noise", least=3)
    seed: int = setting(
        42, "of synthetic rows, of the `random` split and of `sample`", least=0, most=2**32 - 1
    )  # NumPy's range
    num_shards: int = setting(1, "TFRecord files per split", least=1, most=99_999)
    compression: str = setting("none", "of the TFRecord files", choices=("none", "gzip"))

    @property
    def hashes_rows(self) -> bool:
        """Whether a row is chosen by the content of all its cells."""
        return self.rule == "hash" or (self.sample < 1 and self.rule != "key")

    @property
    def rule(self) -> str:
        """How rows are split: as `split` says, or by the key that their group is."""
        return "key" if self.group and self.split in ("hash", "random") else self.split

    @property
    def key_column(self) -> str:
        """The column of `rule` "key" and "time"; else empty."""
        return self.split_column or (self.group if self.rule == "key" else "")

    @property
    def not_features(self) -> dict[str, str]:
        """What the columns are that are not features, as `ColumnRules` has it."""
        named = {self.weight: "weight", self.group: "group", self.label: "label"}
        return {**dict.fromkeys(self.exclude, "excluded"), **{name: role for name, role in named.items() if name}}

    @property
    def split_form(self) -> str:
        """The form of the split column's text in the directives of `strptime`; empty where `date_format` has none."""
        column = self.key_column.strip()
        return next((form for name, form in self.date_format.items() if name.strip() == column), "")

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        problems = self._problems_of_a_query() + problems_of_new_names(self.rename)
        if self.source not in ("synthetic", "sql") and bool(self.input) == bool(self.input_pattern):
            problems.append(
                f"`source` '{self.source}' needs `input` or `input_pattern`, one of them. "
                f"Received input '{self.input}' and input_pattern '{self.input_pattern}'."
            )
        csv_format = CsvFormat.of(self)
        problems += csv_format.problems() + self._problems_of_units()
        if self.source != "csv":
            given = [name for name in csv_format.changed() if name != "nan"]
            problems += [f"`{name}` is for `source` 'csv'. Received `source` '{self.source}'." for name in given]
        if self.integer and self.source not in INTEGER_SOURCES:
            problems.append(
                f"`integer` is for `source` 'csv', 'parquet', 'arrow' and 'sql'. Received `source` '{self.source}'."
            )
        if self.split == "folders" and (self.source in ("synthetic", "sql") or not self.input):
            problems.append("`split` 'folders' needs `input`, a folder that holds train/ and eval/.")
        if self.split in ("key", "time") and not self.split_column:
            problems.append(f"`split` '{self.split}' needs `split_column`, the column to split by.")
        if self.split not in ("key", "time") and self.split_column:
            problems.append(f"`split_column` is for `split` 'key' and 'time'. Received `split` '{self.split}'.")
        if self.split != "time" and self.split_time:
            problems.append(f"`split_time` is for `split` 'time'. Received `split` '{self.split}'.")
        if self.stratify and self.rule not in ("hash", "random"):
            received = f"`split` '{self.split}'" + (" and `group`" if self.group else "")
            problems.append(f"`stratify` is for `split` 'hash' and 'random', without `group`. Received {received}.")
        if self.eval_fraction + self.test_fraction >= 1:
            problems.append(
                f"`eval_fraction` {self.eval_fraction:g} and `test_fraction` {self.test_fraction:g} leave no rows to "
                "train on. Their sum must be below 1."
            )
        if self.split == "folders" and self.test_fraction:
            problems.append("`test_fraction` is not for `split` 'folders': the rows in test/ are the test split.")
        return problems

    def _problems_of_units(self) -> list[str]:
        problems = [
            f"`time_unit` of `{shown(column)}` is '{shown(unit)}'. Expected one of: {', '.join(TIME_UNITS)}."
            for column, unit in self.time_unit.items()
            if unit not in TIME_UNITS
        ]
        if self.source == "synthetic":
            problems += [
                f"`{name}` is for sources that have times of day. Received `source` 'synthetic'."
                for name in ("clock", "clock_seconds")
                if getattr(self, name)
            ]
        if self.time_unit and self.source in ("synthetic", "tfrecord"):
            problems.append(f"`time_unit` is for sources that have times. Received `source` '{self.source}'.")
        return problems

    def _problems_of_a_query(self) -> list[str]:
        problems = []
        if self.source == "sql" and not self.query.strip():
            problems.append("`source` 'sql' needs `query`, one SELECT or the path of a .sql file.")
        if self.source == "sql" and (self.input or self.input_pattern):
            problems.append("`source` 'sql' reads what `query` names; leave out `input` and `input_pattern`.")
        if self.source != "sql" and (self.query or self.connection):
            problems.append(f"`query` and `connection` are for `source` 'sql'. Received `source` '{self.source}'.")
        if _has_plain_password(self.connection):
            problems.append(
                "`connection` holds a password, which each run would record. Write ${NAME} in its place, and set the "
                "environment variable NAME."
            )
        return problems


def _has_plain_password(address: str) -> bool:
    """Whether a database's address holds a password as it is, not as `${NAME}`."""
    found = re.match(r"[^:/?#]+://[^:/?#@]*:([^@/]*)@", address) or re.search(r"[?&]password=([^&]*)", address)
    return bool(found and found[1] and not re.fullmatch(r"\$\{\w+\}", found[1]))
