"""Measures ours and the rivals on the same rows of a table.

`crossnet init` and `run` go first. Every result is a file of its own, named by all that it depends on: what was
measured is not measured again, and a run that was broken off goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import crossnet
from benchmarks.real_tables.rivals import EARLY, EVAL, RECIPE, RIVALS, TRAIN, VALIDATION
from benchmarks.real_tables.sources import TABLES
from crossnet.components.artifacts.examples import Examples
from crossnet.components.records.dataset import read_columns
from crossnet.components.sources.provenance import CODES_FILE

AS_WRITTEN = 0  # the split that `init` writes; the others are random, and their number is the seed
FOLD_SEED = 1000
VALIDATION_SHARE = 1 / 8
PROBLEM_CHARS = 500  # of what a run that failed printed

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Ours:
    """What our run on a table gave.

    Attributes:
      exit_code: Of `crossnet run`, or of `init` where that failed.
      cpu: CPU seconds of `init` and `run`, imports included.
      problem: The last words of a run that trained nothing; else empty.
      rmse: Eval RMSE of the first candidate over the standard deviation of the eval labels; None: nothing was trained.
      train_rmse: Likewise, of train over the same deviation.
      models: Eval RMSE of every row of the run's table, likewise.
      coverage: Share of eval rows in the interval of the first candidate; None where it has none.
      label_std: That deviation.
      rows: By split.
    """

    exit_code: int
    cpu: float
    problem: str = ""
    rmse: float | None = None
    train_rmse: float | None = None
    models: dict[str, float] | None = None
    coverage: float | None = None
    label_std: float = 0.0
    rows: dict[str, int] | None = None


@dataclass(frozen=True)
class Workplace:
    """Where tables and results are kept, and what is measured.

    Attributes:
      folder: Of tables and results.
      settings: Given to `run` by `--set`; none: the config as `init` writes it.
      folds: Whether only train rows are used: each split's train rows are split again.
      rivals: Names.
    """

    folder: Path
    settings: tuple[str, ...] = ()
    folds: bool = False
    rivals: tuple[str, ...] = tuple(RIVALS)

    def key(self, name: str, split: int) -> str:
        """Returns a digest of all that the result of a split depends on."""
        seed = split + FOLD_SEED if self.folds else split
        csv = self.csv(name, split)
        return _digest(_content(csv), TABLES[name].label, seed, self.settings, self.rivals, RECIPE, _product())

    def served_key(self, name: str) -> str:
        """Returns a digest of all that the CPU of a table's server depends on."""
        return _digest("served", _content(self.csv(name, AS_WRITTEN)), TABLES[name].label, _product())

    def measure(self, name: str, split: int) -> dict[str, Any]:
        """Returns `{"ours": Ours as a dict, rival: {"rmse", "cpu"}}` of one split of a table."""
        csv = self.csv(name, split)
        label = TABLES[name].label
        seed = split + FOLD_SEED if self.folds else split
        ours, codes = self._ours(csv, label, seed)
        found = {"ours": ours}
        if codes is not None:
            found |= self._rivals(csv, label, codes)
        return found

    def csv(self, name: str, split: int) -> Path:
        """Returns the table as a file; with `folds` only the rows of that split's train."""
        whole = self.folder / "tables" / f"{name}.csv"
        if not whole.exists():
            whole.parent.mkdir(parents=True, exist_ok=True)
            part = whole.with_suffix(".part")
            TABLES[name].write(part)
            part.rename(whole)
        if not self.folds:
            return whole
        fold = self.folder / "folds" / str(split) / f"{name}.csv"
        if not fold.exists():
            with tempfile.TemporaryDirectory() as top:
                arguments = (*_split(split), "--until", "example_gen")
                exit_code, _, output = run_ours(whole, TABLES[name].label, Path(top), arguments)
                if exit_code:
                    raise RuntimeError(f"{name} cannot be split, exit {exit_code}: {output.strip()[-PROBLEM_CHARS:]}")
                codes = _codes(Path(top))
            _write_rows(whole, fold, codes != EVAL)
        return fold

    def _ours(self, csv: Path, label: str, split: int) -> tuple[dict[str, Any], Codes | None]:
        product = _product()
        key = _digest("ours", _content(csv), label, split, self.settings, product)
        file, codes_file = (self.folder / "ours" / f"{key}{end}" for end in (".json", ".npy"))
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as top:
                ours, codes = _measure_ours(csv, label, Path(top), (*_split(split), *set_words(self.settings)))
            if _product() != product:
                raise RuntimeError("The package's source changed while it was measured. Measure a copy, or wait.")
            if codes is not None:
                with codes_file.open("wb") as stream:
                    np.save(stream, codes)
            _write_json(file, asdict(ours))
        return json.loads(file.read_text()), np.load(codes_file) if codes_file.exists() else None

    def _rivals(self, csv: Path, label: str, codes: Codes) -> dict[str, Any]:
        found = {}
        validated = with_validation(codes)
        for name in self.rivals:
            # Where ours validates matters to who stops early alone.
            rows = validated if name in EARLY else codes
            key = _digest(name, _content(csv), label, hashlib.sha256(rows.tobytes()).hexdigest(), RECIPE)
            file = self.folder / "rivals" / f"{key}.json"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                _write_json(file, _measure_rival(name, csv, label, validated))
            result = json.loads(file.read_text())
            found[name] = result | {"rmse": result["rmse"] / result["label_std"]}
        return found


def with_validation(codes: Codes) -> Codes:
    """Returns the codes with an eighth of train, chosen at random, as `VALIDATION`."""
    train = np.flatnonzero(codes == TRAIN)
    chosen = np.random.default_rng(len(codes)).permutation(train)[: max(1, round(len(train) * VALIDATION_SHARE))]
    codes = codes.copy()
    codes[chosen] = VALIDATION
    return codes


def _split(split: int) -> tuple[str, ...]:
    """Returns the arguments that split at random by a seed; none for what `init` wrote."""
    if split == AS_WRITTEN:
        return ()
    return set_words(("example_gen.split=random", f"example_gen.seed={split}", *_NO_KEY))


_NO_KEY = ("example_gen.split_column=", "example_gen.group=", "example_gen.split_time=")


def set_words(settings: Sequence[str]) -> tuple[str, ...]:
    """Returns the arguments that give settings to `run`."""
    return tuple(word for setting in settings for word in ("--set", setting))


def _measure_ours(csv: Path, label: str, top: Path, arguments: Sequence[str]) -> tuple[Ours, Codes | None]:
    exit_code, cpu, output = run_ours(csv, label, top, arguments)
    records = sorted(top.glob("crossnet_root/runs/*/run.json"))
    run = json.loads(records[-1].read_text()) if records else {}
    if not run.get("models"):
        return Ours(exit_code, cpu, problem=output.strip()[-PROBLEM_CHARS:]), None
    config = tomllib.loads((records[-1].parent / "config.toml").read_text())
    first = run["champion"] or config["models"][0]
    codes = _codes(top)
    labels = _labels(csv, label)
    std = float(labels[codes == EVAL].std())
    _check_labels(top, label, labels, codes)
    models = {name: facts["eval_rmse"] / std for name, facts in run["models"].items()}
    facts = run["models"][first]
    ours = Ours(
        exit_code,
        cpu,
        rmse=models[first],
        train_rmse=facts["train_rmse"] / std,
        models=models,
        coverage=(facts.get("prediction_interval") or {}).get("eval_coverage"),
        label_std=std,
        rows={split: int((codes == code).sum()) for split, code in (("train", TRAIN), ("eval", EVAL))},
    )
    return ours, codes


def run_ours(csv: Path, label: str, top: Path, arguments: Sequence[str]) -> tuple[int, float, str]:
    """Runs `init` and `run` in a folder; returns the exit code, the CPU seconds and what was printed last."""
    table = top / csv.name
    shutil.copyfile(csv, table)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in (
        ("init", table.name, "--label", label),
        ("run", "--config", table.with_suffix(".toml").name, *arguments),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "crossnet", *command], cwd=top, env=_environment(), text=True, capture_output=True
        )
        if done.returncode:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, cpu, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    """Returns the environment in which children find this checkout's package first.

    They keep its byte code, as an installation does: else each command compiles the package anew.
    """
    path = os.pathsep.join(filter(None, (str(Path(crossnet.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": path}


def _codes(top: Path) -> Codes:
    """Returns the split of each row of the run's table, from its Examples."""
    examples = examples_of(top)
    packed = np.frombuffer((examples.path / CODES_FILE).read_bytes(), np.uint8)
    (rows,) = examples.properties["rows_per_unit"]
    codes: Codes = (packed[:, None] >> np.array([6, 4, 2, 0], np.uint8) & np.uint8(3)).ravel()[:rows]
    return codes


def examples_of(top: Path) -> Examples:
    """Returns the rows of the run in a folder."""
    (path,) = top.glob("crossnet_root/artifacts/example_gen/*")
    return Examples.load(path)


def _check_labels(top: Path, label: str, labels: NDArray[np.float64], codes: Codes) -> None:
    """Checks that the rows which the codes name are those of the Examples."""
    for split, code in (("train", TRAIN), ("eval", EVAL)):
        batches = [batch[label] for batch in read_columns(examples_of(top), split, columns=[label])]
        recorded = np.concatenate([batch.values for batch in batches])
        np.testing.assert_allclose(recorded, labels[codes == code], rtol=1e-6, err_msg=split)


def _labels(csv: Path, label: str) -> NDArray[np.float64]:
    import pandas

    labels: NDArray[np.float64] = pandas.read_csv(csv, usecols=[label])[label].to_numpy(np.float64)
    return labels


def _measure_rival(name: str, csv: Path, label: str, codes: Codes) -> dict[str, float]:
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, codes)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.real_tables.rivals", str(csv), file.name, label, name]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=_environment() | threads)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found | {"label_std": float(_labels(csv, label)[codes == EVAL].std())}


def _write_rows(source: Path, target: Path, chosen: NDArray[np.bool_]) -> None:
    import pandas

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    pandas.read_csv(source, dtype=str, keep_default_na=False)[chosen].to_csv(part, index=False)
    part.rename(target)


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.rename(file)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _content(csv: Path) -> str:
    return hashlib.sha256(csv.read_bytes()).hexdigest()


def _product() -> str:
    """Returns a digest of the package's source: another product is measured again."""
    package = Path(crossnet.__file__).parent
    files = sorted(file for end in ("py", "toml") for file in package.glob(f"*/**/*.{end}"))
    return _digest(*((str(file.relative_to(package)), _content(file)) for file in files))
