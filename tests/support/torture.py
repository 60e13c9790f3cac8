"""Runs tests as numbered cases: seeded, resumable, and counted for docs/reliability.md.

tests/torture/README.md says how a part is added; tests/torture/conftest.py connects this with pytest.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import random
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import REPOSITORY

RESULTS_FILE = REPOSITORY / ".torture" / "results.json"
SHORT_SEED = 16  # of the short versions, which are the same in each run
MOST_DETAILS = 4096  # characters of what explains a failure, each of the text and the place of its error
BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
SOURCES = ("components", "crossnet", "pipeline", "serving")


@dataclass(frozen=True)
class Spec:
    """What a case is before it runs.

    Attributes:
      kind: The part that it belongs to, such as "kills".
      name: Its number in the part, or its name.
      says: What the part promises, for the table of the page.
      timeout_seconds: When the case counts as hung.
      alone: Whether no other case may run beside it.
    """

    kind: str
    name: str
    says: str
    timeout_seconds: float
    alone: bool = False


@dataclass
class Case:
    """A case that runs: a test gets it as the fixture `case`.

    Attributes:
      spec: Its kind and name.
      number: Its number in its part, from 0; 0 where cases have names.
      seed: The seed of the whole run.
      full: Whether this is the full harness; the short version of a test may take less time.
      random: Draws the same values for the same seed, kind and name.
      counts: Numbers of this case, added up over all cases of its kind.
      most: Numbers of this case, of which the page shows the largest.
    """

    spec: Spec
    seed: int
    full: bool
    random: random.Random = field(init=False)
    counts: dict[str, int] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}/{self.spec.kind}/{self.spec.name}")

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def number(self) -> int:
        return int(self.spec.name) if self.spec.name.isdecimal() else 0

    def count(self, **numbers: int) -> None:
        """Adds numbers to the part's sums: `case.count(answers=120, failed_calls=0)`."""
        for name, number in numbers.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def note_most(self, **numbers: float) -> None:
        """Keeps the largest of each number: `case.note_most(seconds_to_recover=3.1)`."""
        for name, number in numbers.items():
            self.most[name] = max(self.most.get(name, number), number)


def cases(
    kind: str,
    full: int | Sequence[str],
    *,
    short: int | Collection[str],
    says: str,
    timeout_seconds: float = 300.0,
    alone: bool = False,
) -> Any:
    """Decorates a test so that it runs once per case, which it takes as the argument `case`.

    Args:
      kind: The part: a short name, such as "kills".
      full: How many cases `make torture` runs, or their names.
      short: Which of them `make test-slow` runs: the first ones, or those named.
      says: What the part promises, in a few words: a cell of the page's table.
      timeout_seconds: When a case counts as hung, and fails.
      alone: Whether its cases measure what others beside them would change: those wait.
    """
    names = [str(number) for number in range(full)] if isinstance(full, int) else list(full)
    quick = set(names[:short]) if isinstance(short, int) else set(short)
    assert quick <= set(names), f"{kind} has no case {quick - set(names)}"
    params = [
        pytest.param(
            Spec(kind, name, says, timeout_seconds, alone),
            id=f"{kind}-{name}",
            marks=[pytest.mark.torture, *([pytest.mark.slow] if name in quick else [])],
        )
        for name in names
    ]
    return pytest.mark.parametrize("case", params, indirect=True)


@contextlib.contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Lets the cases of all processes in at once, but one that is to be alone only when no other is inside.

    Args:
      folder: Where two locks are kept, for all processes of a run.
      alone: Whether nobody may be inside meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "door.lock").open("w") as door, (folder / "room.lock").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)  # who waits for the empty room stands in the door, so nobody overtakes
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


class Results:
    """The results of one run of the harness, which may be interrupted and go on; kept in one JSON file.

    A result counts as long as the sources, the locked libraries, the seed and the file of its test are the same.

    Args:
      file: The file; replaced after each case.
      seed: The seed; None: that of the results that are there, or a new one.
      fresh: Begin anew. The results that were there are kept beside the file as `previous.json`.
      facts: What a worker process got of the process that writes the file; a worker notes nothing.
    """

    def __init__(
        self, file: Path, *, seed: int | None = None, fresh: bool = False, facts: dict[str, Any] | None = None
    ) -> None:
        self._file = file
        self._tests: dict[str, str] = {}
        if facts is not None:
            self.facts, self.resumed = facts, True
            return
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
        wanted = {"sources": sourcesdigest()} | ({} if seed is None else {"seed": seed})
        self.resumed = bool(found and not fresh and all(found[name] == value for name, value in wanted.items()))
        if found and not self.resumed:
            file.replace(file.with_name("previous.json"))
        self.facts: dict[str, Any] = (
            found
            if found and self.resumed
            else {
                "seed": random.SystemRandom().randrange(10_000) if seed is None else seed,
                "sources": wanted["sources"],
                "started": now(),
                "planned": {},
                "cases": {},
            }
        )
        self.facts.update(machine=machine(), commit=commit())

    @property
    def seed(self) -> int:
        return int(self.facts["seed"])

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        """Results by the tests' ids."""
        return dict(self.facts["cases"])

    def plan(self, tests: Mapping[str, Sequence[str]]) -> None:
        """Says which cases there are: id -> kind and digest of the test's file. Results of others are dropped."""
        self._tests = {name: digest for name, (_, digest) in tests.items()}
        self.facts["planned"] = {name: kind for name, (kind, _) in tests.items()}
        self.facts["cases"] = {
            name: result
            for name, result in self.facts["cases"].items()
            if name in tests and result["test"] == self._tests[name]
        }

    def is_done(self, name: str) -> bool:
        """Whether a case has passed already."""
        return bool(self.facts["cases"].get(name, {}).get("outcome") == "passed")

    def add(self, name: str, result: Mapping[str, Any]) -> None:
        """Notes a finished case in the file, as `result_of` describes it."""
        self.facts["cases"][name] = {
            **result,
            "kind": self.facts["planned"][name],
            "date": now(),
            "commit": self.facts["commit"],
            "test": self._tests[name],
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f".tmp-{self._file.name}")
        temporary.write_text(json.dumps(self.facts, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self._file)

    def missing(self) -> list[str]:
        """Ids of the cases that have not passed yet."""
        return [name for name in self.facts["planned"] if not self.is_done(name)]

    def seconds_left(self, names: Iterable[str]) -> float:
        """Guesses how long the named cases take, from the mean of their kind, or else of all."""
        done: dict[str, list[float]] = {}
        for result in self.cases.values():
            done.setdefault(result["kind"], []).append(result["seconds"])
        every = [seconds for values in done.values() for seconds in values] or [0.0]
        kinds = [self.facts["planned"][name] for name in names]
        return sum(sum(values) / len(values) for values in (done.get(kind, every) for kind in kinds))

    def rows(self) -> list[dict[str, Any]]:
        """One row per kind, in the order of the plan: says, cases, outcomes, seconds, and what was counted."""
        rows = []
        for kind in dict.fromkeys(self.facts["planned"].values()):
            results = [result for result in self.cases.values() if result["kind"] == kind]
            counts: dict[str, int] = {}
            most: dict[str, float] = {}
            for result in results:
                for name, number in result["counts"].items():
                    counts[name] = counts.get(name, 0) + number
                for name, number in result["most"].items():
                    most[name] = max(most.get(name, number), number)
            rows.append(
                {
                    "kind": kind,
                    "says": next((result["says"] for result in results if result["says"]), ""),
                    "cases": list(self.facts["planned"].values()).count(kind),
                    **{name: sum(r["outcome"] == name for r in results) for name in ("passed", "failed", "skipped")},
                    "seconds": sum(result["seconds"] for result in results),
                    "counts": counts,
                    "most": most,
                }
            )
        return rows


def result_of(case: Case | None, outcome: str, seconds: float, reason: str = "", details: str = "") -> dict[str, Any]:
    """A finished case in plain values, which go from a worker to the process that writes the file.

    Args:
      case: None: it ended before it began.
      outcome: "passed", "failed" or "skipped".
      seconds: How long it took, with what it was the first to need.
      reason: Why it has not passed, in one line.
      details: What explains it, such as all that a command has said.
    """
    return {
        "says": case.spec.says if case else "",
        "outcome": outcome,
        "seconds": round(seconds, 2),
        "reason": reason,
        **({"details": details} if details else {}),
        "counts": case.counts if case else {},
        "most": case.most if case else {},
    }


def page_table(results: Results, command: str) -> str:
    """The tables of docs/reliability.md, Markdown."""
    facts, rows = results.facts, results.rows()
    dates = [result["date"] for result in facts["cases"].values()] or [facts["started"]]
    commits = dict.fromkeys(result["commit"] for result in facts["cases"].values()) or [facts["commit"]]
    text = (
        f"Written by `{command}`, seed {facts['seed']}, {min(dates)[:10]} to {max(dates)[:10]}: {facts['machine']}, "
        f"{'commit' if len(commits) == 1 else 'commits'} {', '.join(commits) or 'unknown'}.\n\n"
        "| part | what is promised | cases | passed | failed | not run | minutes | counted |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |\n"
    )
    for row in rows:
        counted = [f"{number:,} {_words(name)}" for name, number in row["counts"].items()]
        counted += [f"{_words(name)} at most {number:,.4g}" for name, number in row["most"].items()]
        not_run = row["cases"] - row["passed"] - row["failed"]
        text += (
            f"| {row['kind']} | {row['says']} | {row['cases']:,} | {row['passed']:,} | {row['failed']:,} | {not_run:,} "
            f"| {row['seconds'] / 60:.1f} | {', '.join(counted)} |\n"
        )
    minutes = sum(row["seconds"] for row in rows) / 60
    return text + f"\n{len(facts['planned']):,} cases, {minutes:.0f} minutes in all.\n"


def write_page(file: Path, table: str) -> None:
    """Replaces what is between the two comments of a page."""
    text = file.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{file} lacks `{BEGIN}` or `{END}`"
    file.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")


def sourcesdigest() -> str:
    """A digest of what is tested: the sources and the locked libraries."""
    total = hashlib.sha256()
    files = [REPOSITORY / "requirements-dev.lock"]
    for folder in SOURCES:
        files += [file for file in sorted((REPOSITORY / folder).rglob("*")) if "__pycache__" not in file.parts]
    for file in files:
        if file.is_file():
            total.update(f"{file.relative_to(REPOSITORY)}\0{digest(file)}\n".encode())
    return total.hexdigest()[:12]


def digest(file: Path) -> str:
    """A short digest of a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def commit() -> str:
    """The commit of the repository, "" outside one; "-dirty" behind it where what is run was edited since."""
    git = ["git", "-C", str(REPOSITORY)]
    try:
        name = subprocess.run([*git, "describe", "--always"], capture_output=True, text=True, timeout=10)
        same = subprocess.run(
            [*git, "diff", "--quiet", "HEAD", "--", *SOURCES, "tests"], capture_output=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return name.stdout.strip() + ("-dirty" if name.stdout and same.returncode else "")


def machine() -> str:
    """One line that names this machine: cores, memory, processor."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {model}"


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _words(name: str) -> str:
    return name.replace("_", " ")
