"""Writes the curves of `scale`, and what follows, into a page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BEGIN, END = "<!-- begin: python -m benchmarks.scale -->\n", "<!-- end -->\n"
ROWS, COLUMNS = 10_000_000_000, 200
WORKERS = 100
SHARD_BYTES = 1 << 30
TASK_SECONDS = 10  # of work that a task should have at least
RESIDENT = 24  # bytes a row while repeats are looked for: hash, place, and the order of both
RANGES = 64
DATA_STEPS = ("example_gen", "statistics_gen", "example_validator")
EPOCHS = 2


def write(page: Path, found: Mapping[str, Any]) -> None:
    """Replaces what stands between the marks in a page."""
    text = page.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    page.write_text(f"{head}{BEGIN}{render(found)}{END}{rest.partition(END)[2]}", encoding="utf-8")


def render(found: Mapping[str, Any]) -> str:
    """Returns the tables of the sizes, of the engines, and of the extrapolation."""
    sizes = list(found["sizes"].values())
    lines = [*_curves(sizes), *_engines(found.get("engines", {})), *_extrapolation(sizes)]
    return "\n".join(lines) + "\n"


def _measured(parts: Sequence[Mapping[str, Any]]) -> str:
    machines = ", ".join(sorted({part["machine"] for part in parts}))
    dates = sorted({part["date"][:10] for part in parts})
    loads = sorted(part["load"] for part in parts)
    return f"{' and '.join(dates)}, {machines}, shared: load {loads[0]} to {loads[-1]} at the starts"


def _curves(sizes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [f"{size['rows']:,} x {size['columns']}" for size in sizes]
    header = [f"| step | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    steps = list(sizes[0]["steps"])
    command = "`nice -n 5 python -m benchmarks.scale --sizes`"
    yield f"Rows x columns, the label included; {_measured(sizes)}; {command}.\n"
    for title, key, form in (
        ("CPU seconds", "cpu", "{:.1f}"),
        ("Peak memory of the process, MiB", "mib", "{:,.0f}"),
        ("Written, MB", "bytes", "{:,.1f}"),
    ):
        yield from (f"**{title}**\n", *header)
        scale = 1e-6 if key == "bytes" else 1
        for step in steps:
            yield f"| {step} | {' | '.join(form.format(size['steps'][step][key] * scale) for size in sizes)} |"
        if key == "bytes":
            read = " | ".join(form.format(size["input_bytes"] / 1e6) for size in sizes)
            yield f"| the Parquet file that was read | {read} |"
        yield ""


def _engines(engines: Mapping[str, Any]) -> Iterator[str]:
    if not engines:
        return
    command = "`nice -n 5 python -m benchmarks.scale --engines`"
    yield f"**What an engine costs beside the work**, CPU seconds; {_measured(list(engines.values()))}; {command}.\n"
    yield from ("| engine | start and two empty tasks | each further task |", "| --- | ---: | ---: |")
    for name, cost in engines.items():
        yield f"| {name} | {cost['start']:.1f} | {cost['task']:.3f} |"
    yield ""


def fit(sizes: Sequence[Mapping[str, Any]], values: Sequence[float]) -> tuple[float, float, float]:
    """Returns a, b and c, none negative, of the nearest a + b rows + c rows columns; errors count relatively."""
    rows = np.array([size["rows"] for size in sizes], float)
    columns = np.array([size["columns"] for size in sizes], float)
    y = np.maximum(np.array(values, float), 1e-9)
    terms = np.stack([np.ones_like(rows), rows, rows * columns], axis=1) / y[:, None]
    best, least = (0.0, 0.0, 0.0), np.inf
    for chosen in itertools.chain.from_iterable(itertools.combinations(range(3), n) for n in (1, 2, 3)):
        scale = np.abs(terms[:, chosen]).max(axis=0)
        weights = np.linalg.lstsq(terms[:, chosen] / scale, np.ones_like(y), rcond=None)[0] / scale
        error = float(np.square(terms[:, chosen] @ weights - 1).sum())
        if (weights >= 0).all() and error < least - 1e-12:
            found = dict(zip(chosen, weights.tolist(), strict=True))
            best, least = (found.get(0, 0.0), found.get(1, 0.0), found.get(2, 0.0)), error
    return best


def predicted(sizes: Sequence[Mapping[str, Any]], values: Sequence[float], rows: int, columns: int) -> float:
    """Returns what the fit says of a table, or what the largest of as many columns says, in proportion to its rows."""
    a, b, c = fit(sizes, values)
    as_wide = [(size["rows"], value) for size, value in zip(sizes, values, strict=True) if size["columns"] == columns]
    if as_wide:  # what grows with the square of the columns is in it
        measured, value = max(as_wide)
        return a + max(value - a, 0.0) / measured * rows
    return a + b * rows + c * rows * columns


def _extrapolation(sizes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    def at_scale(key: str, step: str) -> float:
        return predicted(sizes, [size["steps"][step][key] for size in sizes], ROWS, COLUMNS)

    cpu = {step: at_scale("cpu", step) / 3600 for step in sizes[0]["steps"]}
    stored, read = at_scale("bytes", "example_gen"), predicted(sizes, [s["input_bytes"] for s in sizes], ROWS, COLUMNS)
    largest = max(sizes, key=lambda size: size["input_bytes"])
    digest = largest["digest_cpu"] / largest["input_bytes"]
    shards = -(-int(stored) // SHARD_BYTES)
    data = sum(cpu[step] for step in DATA_STEPS)
    trainers = [step for step in cpu if step.startswith("trainer_")]
    yield f"**{ROWS:,} rows x {COLUMNS} columns**, in proportion to rows from the measured table as wide.\n"
    yield from ("| | |", "| --- | ---: |")
    yield f"| rows to read, as Parquet | {read / 1e12:,.1f} TB |"
    yield f"| examples: records and their columns | {stored / 1e12:,.1f} TB |"
    yield f"| shards of 1 GiB | {shards:,} |"
    for step in DATA_STEPS:
        yield f"| {step} | {cpu[step]:,.0f} core-hours |"
    yield f"| these on {WORKERS} workers of one core | {data / WORKERS:,.1f} h |"
    yield f"| a task of such a shard | {data * 3600 / shards:,.0f} CPU s; at least {TASK_SECONDS} pay an engine |"
    for step in trainers:
        yield f"| {step}, {EPOCHS} epochs, one process | {cpu[step]:,.0f} core-hours |"
    yield f"| evaluator | {cpu['evaluator']:,.0f} core-hours |"
    yield f"| SHA-256 of what is read, in the planner, once | {digest * read / 3600:,.1f} h |"
    yield f"| hashes for the search of repeats, one local file | {8 * ROWS / 1e9:,.0f} GB, read {RANGES} times |"
    yield f"| memory of that search | {RESIDENT * ROWS / RANGES / 2**30:,.1f} GiB |"
    yield f"| times of a split by time, one local file | {8 * ROWS / 1e9:,.0f} GB |"
    yield f"| rows as a network sees them, on local disk | {4 * ROWS * COLUMNS / 1e12:,.1f} TB for each trainer |"
