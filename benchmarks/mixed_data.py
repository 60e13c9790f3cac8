"""Measures a CSV's way to validated examples beside plain reads of it.

Ours is ExampleGen, StatisticsGen, SchemaGen and ExampleValidator, which write and check files; the others are reads
of the whole file into memory by polars and by pyarrow. Each is a process of its own: CPU seconds of all its threads
and children after its imports, and its peak memory. pandas, which is not in requirements.lock, is out of sight.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from benchmarks.harness import Row, medians

REPEATS = 3
WORDS = ("north", "south", "east side", "west", "central station", "airport terminal 2", "x", "downtown")
# Of the text columns: a few values, many, nearly all distinct, and sentences.
TEXTS = (8, 12, 50, 100, 300, 1000, 5000, 20_000)

_MEASURE = r"""
import re, resource, sys, time
from pathlib import Path
def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
{imports}
start = cpu()
{work}
# Not ru_maxrss: a child inherits its parent's.
print(cpu() - start, re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
"""
# As where requirements.lock is installed: pyarrow imports pandas, where it is, at its first array of NumPy's.
_WITHOUT_PANDAS = """
class WithoutPandas:
    @staticmethod
    def find_spec(name, *_):
        if name == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, WithoutPandas)
"""
_OURS = (
    _WITHOUT_PANDAS
    + """
from crossnet.components.example_gen import generate_examples
from crossnet.components.example_validator import validate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics
folders = [Path(sys.argv[2], name) for name in ("examples", "statistics", "schema", "anomalies")]
for folder in folders:
    folder.mkdir()
""",
    """
params = ExampleGenParams(source="csv", input=sys.argv[1], label="y")
examples = generate_examples(output_dir=folders[0], params=params)
summary = generate_statistics(examples, output_dir=folders[1], params=StatisticsGenParams())
schema = infer_schema(examples, summary, output_dir=folders[2], params=SchemaGenParams())
validate_examples(examples, summary, schema, output_dir=folders[3], params=ExampleValidatorParams())
""",
)
_OTHERS = {
    "polars.read_csv": ("import polars", "table = polars.read_csv(sys.argv[1])"),
    "pyarrow.csv.read_csv": (_WITHOUT_PANDAS + "import pyarrow.csv", "table = pyarrow.csv.read_csv(sys.argv[1])"),
}


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    mebibytes: float


class Case(NamedTuple):
    """What a table took: ours, and each of the others in turn, by name."""

    ours: list[Cost]
    others: dict[str, list[Cost]]

    @property
    def seconds(self) -> float:
        """The median CPU seconds of ours."""
        return statistics.median(cost.seconds for cost in self.ours)


def rows() -> Iterator[Row]:
    """Yields CPU time and memory of each table, and how CPU time grows with columns."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.csv"
        write_numbers(path, 1_000_000, 4)
        yield from _compare("4 numbers, 1,000,000 rows", measure(path), 4)
        write_mixed(path, 1_000_000)
        yield from _compare("30 columns, 10 of text, 1,000,000 rows", measure(path), 4, memory=True)
        write_numbers(path, 20_000, 1000)
        wide = measure(path)
        yield from _compare("1,000 numbers, 20,000 rows", wide, 6, memory=True)
        write_numbers(path, 2_000_000, 10)
        ten = measure(path)
        yield from _compare("10 numbers, 2,000,000 rows", ten, None)
        ratio = wide.seconds / ten.seconds
        yield Row(
            "mixed_data", "1,000 columns, 20 M cells", wide.seconds, ten.seconds, "CPU s", ratio,
            "<= 1.5", ratio <= 1.5, "10 columns, as many cells",
        )  # fmt: skip


def write_numbers(path: Path, rows: int, columns: int) -> None:
    """Writes a table of float32 columns, normally distributed; the last is `y`."""
    random = np.random.default_rng(0)
    names = [*(f"x{n}" for n in range(columns - 1)), "y"]
    table = pa.table({name: random.standard_normal(rows, np.float32) for name in names})
    pa.csv.write_csv(table, path, pa.csv.WriteOptions(quoting_style="none"))


def write_mixed(path: Path, rows: int) -> None:
    """Writes a table of 12 decimals, 8 whole numbers and 10 texts, some of each with holes."""
    random = np.random.default_rng(0)

    def holes(number: int) -> np.ndarray | None:
        return random.random(rows) < 0.05 if number % 3 == 0 else None

    columns = {f"f{n}": pa.array(random.normal(50, 20, rows).round(3), mask=holes(n)) for n in range(11)}
    columns |= {f"i{n}": pa.array(random.integers(0, 10 ** (n + 1), rows), mask=holes(n)) for n in range(8)}
    for n, distinct in enumerate(TEXTS):
        values = pa.array([f"{WORDS[value % len(WORDS)]} {value}" for value in range(distinct)])
        columns[f"t{n}"] = values.take(pa.array(random.integers(0, distinct, rows), mask=holes(n)))
    columns["id"] = pa.array([f"ride-{value:08x}" for value in random.permutation(rows)])
    places = random.integers(0, len(WORDS), (rows, 4)).tolist()
    columns["note"] = pa.array([" ".join(WORDS[place] for place in row) for row in places])
    columns["y"] = pa.array(random.normal(10, 2, rows).round(2))
    pa.csv.write_csv(pa.table(columns), path, pa.csv.WriteOptions(quoting_style="needed"))


def measure(path: Path) -> Case:
    """Returns what ours and the others take for a file, measured in turn."""
    case = Case([], {name: [] for name in _OTHERS})
    for _ in range(REPEATS):
        case.ours.append(_run(_OURS, path))
        for name, code in _OTHERS.items():
            case.others[name].append(_run(code, path))
    return case


def _run(code: tuple[str, str], path: Path) -> Cost:
    imports, work = code
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, "-c", _MEASURE.format(imports=imports, work=work), str(path), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kibibytes = done.stdout.split()[-2:]
    return Cost(float(seconds), int(kibibytes) / 1024)


def _compare(case: str, found: Case, most: float | None, *, memory: bool = False) -> Iterator[Row]:
    for name, costs in found.others.items():
        is_goal = name == "polars.read_csv"
        times = [(ours.seconds, other.seconds) for ours, other in zip(found.ours, costs, strict=True)]
        yield _row(case, "CPU s", times, most if is_goal else None, name)
        sizes = [(ours.mebibytes, other.mebibytes) for ours, other in zip(found.ours, costs, strict=True)]
        yield _row(f"{case}, peak memory", "MiB", sizes, 1 if is_goal and memory else None, name)


def _row(case: str, unit: str, pairs: list[tuple[float, float]], most: float | None, alternative: str) -> Row:
    ours, other, ratio, scatter = medians(pairs)
    goal, met = ("", None) if most is None else (f"<= {most}", ratio <= most)
    return Row(
        "mixed_data", f"CSV to validated: {case}", ours, other, unit, ratio, goal, met, alternative, scatter=scatter
    )
