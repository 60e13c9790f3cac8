"""Gives the harness a pipeline that is broken on purpose: small runs, a server, a client that asks all the time.

`Arena` knows what undisturbed runs push and how they predict, so that any answer and any folder can be judged.
"""

from __future__ import annotations

import collections
import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.files import folder_checksum, read_json
from crossnet.serving.client import PredictionClient
from crossnet.serving.status import ServingError
from support.forked_commands import Child, Commands, Watch

CONFIG = """\
models = ["cross_layer", "dense"]
[example_gen]
num_examples = 600
[trainer]
epochs = 8
batch_size = 100
checkpoint_every = 1
[evaluator]
max_rmse = 9
min_improvement = "none"
max_mean_ratio = "none"
max_linear_ratio = "none"
non_inferiority_margin = "none"
total_margin = "none"
num_bootstrap = 100
[infra_validator]
server = "embedded"
"""
MODEL = "crossnet"
ROWS = {"x0": [0.5, 0.125, 1.0], "x1": [0.25, 0.75, 0.0], "x2": [1.0, 0.5, 0.375]}
LEFTOVERS = (".tmp-", ".crossnet-predict-")


@dataclass(frozen=True)
class Reference:
    """An undisturbed run.

    Attributes:
      seed: Its `trainer.seed`.
      root: Its root.
      checksum: Of the version that it pushed.
      predictions: The float32 bytes of that model's answers to `ROWS`.
      operations: The operations on files below each area of the root, such as `artifacts/evaluator`: their number.
      seconds: How long it took.
    """

    seed: int
    root: Path
    checksum: str
    predictions: bytes
    operations: dict[str, int]
    seconds: float


class Asker:
    """Asks a server all the time, from a thread, and keeps what it was answered.

    Attributes:
      answers: (version, float32 bytes) -> how often.
      failures: The calls that failed, in words.
      last: The version of the newest answer.
    """

    def __init__(self, target: str, *, model: str = MODEL) -> None:
        self.answers: collections.Counter[tuple[int, bytes]] = collections.Counter()
        self.failures: list[str] = []
        self.last: int | None = None
        self._target, self._model = target, model
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="asker", daemon=True)

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def take(self) -> tuple[collections.Counter[tuple[int, bytes]], list[str]]:
        """Returns and forgets the answers and failures so far."""
        answers, self.answers = self.answers, collections.Counter()
        failures, self.failures = self.failures, []
        return answers, failures

    def _ask(self) -> None:
        rows = {name: np.array(values, np.float32) for name, values in ROWS.items()}
        with PredictionClient(self._target, model_name=self._model, timeout_seconds=20) as client:
            while not self._stop.wait(0.003):
                try:
                    answer = client.predict(rows)
                except ServingError as error:
                    self.failures.append(f"{type(error).__name__}: {error}")
                    continue
                self.answers[answer.version, np.asarray(answer.values, np.float32).tobytes()] += 1
                self.last = answer.version


class Arena:
    """A folder with references, a served root and roots that are broken.

    Attributes:
      commands: Starts `crossnet` commands.
      folder: Holds all of it.
      config: The config of every run.
      served: The root whose `serving_models` the server watches.
      versions: Version -> the reference that it is, of all versions that were ever whole in `served`.
    """

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.commands, self.folder = commands, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "torture.toml"
        self.config.write_text(CONFIG)
        self.served = folder / "served"
        self.versions: dict[int, Reference] = {}
        self._references: dict[int, Reference] = {}

    # ---- Runs ----

    def settings(self, seed: int, *more: str, serving: bool = True) -> list[str]:
        """The options of a run with a seed; with `serving` it pushes to where the server watches."""
        given = [f"trainer.seed={seed}", *more]
        given += [f'pusher.serving_dir="{self.served / "serving_models"}"'] if serving else []
        return ["--config", str(self.config), *(part for setting in given for part in ("--set", setting))]

    def reference(self, seed: int) -> Reference:
        """The undisturbed run with that seed, made at first use."""
        if seed not in self._references:
            self._references[seed] = self._make_reference(seed)
        return self._references[seed]

    def _make_reference(self, seed: int) -> Reference:
        root, start = self.folder / f"reference-{seed}", time.monotonic()
        child = self.commands.run(
            "run", *self.settings(seed, serving=False), "--root", root, "--json", watch=Watch((root,))
        )
        seconds = time.monotonic() - start
        assert child.wait() == 0, child.said
        facts = json.loads(child.out)
        pushed = Path(facts["serving_dir"]) / MODEL / str(facts["pushed_version"])
        areas: collections.Counter[str] = collections.Counter()
        for _, path in child.operations:
            parts = Path(path).relative_to(root).parts
            areas["/".join(parts[: 2 if parts[0] == "artifacts" else 1])] += 1
        return Reference(seed, root, folder_checksum(pushed), self.predictions(pushed), dict(areas), seconds)

    def predictions(self, model: Path) -> bytes:
        """What an exported model answers to `ROWS`, asked without a server."""
        rows = self.folder / "rows.jsonl"
        rows.write_text(
            "\n".join(json.dumps(dict(zip(ROWS, row, strict=True))) for row in zip(*ROWS.values(), strict=True))
        )
        child = self.commands.run("predict", "--rows", rows, "--offline", model)
        assert child.wait() == 0, child.said
        return np.array([json.loads(line)["prediction"] for line in child.out.splitlines()], np.float32).tobytes()

    # ---- The served root ----

    @property
    def model_folder(self) -> Path:
        return self.served / "serving_models" / MODEL

    def put_in_service(self, seed: int, *, version: int = 1) -> None:
        """Copies a reference's version to the served root, as an operator would, by one rename."""
        reference = self.reference(seed)
        (source,) = (p for p in (reference.root / "serving_models" / MODEL).iterdir() if p.name.isdecimal())
        self.model_folder.mkdir(parents=True, exist_ok=True)
        staging = self.model_folder / ".copy"
        shutil.copytree(source, staging)
        record = read_json(source.with_name(f"{source.name}.json")) | {"version": version}
        (self.model_folder / f"{version}.json").write_text(json.dumps(record))
        staging.rename(self.model_folder / str(version))
        self.versions[version] = reference

    def in_service(self) -> dict[int, Path]:
        """The versions in service, the newest first."""
        found = {int(p.name): p for p in self.model_folder.iterdir() if p.name.isdecimal() and p.is_dir()}
        return dict(sorted(found.items(), reverse=True))

    @contextlib.contextmanager
    def serving(self, *, port: int | None = None) -> Iterator[tuple[Child, str]]:
        """Runs `crossnet serve` of the served root; yields the process and its address."""
        port = port or free_port()
        child = self.start_server(port)
        try:
            yield child, f"127.0.0.1:{port}"
        finally:
            child.kill()

    def start_server(self, port: int) -> Child:
        """Starts `crossnet serve` of the served root and waits until it answers."""
        child = self.commands.start(
            "serve", "--root", self.served, f"--port={port}", "--file_system_poll_wait_seconds=0.05"
        )
        wait_until(lambda: "(embedded)" in child.err or not child.running, 60)
        assert child.running, child.said
        return child

    def check_answers(self, asker: Asker) -> int:
        """Every answer is that of a version that was whole, and no call failed. Returns the number of answers."""
        self.note_versions()
        answers, failures = asker.take()
        assert failures == [], f"{len(failures)} calls failed, first: {failures[0]}"
        for (version, values), times in answers.items():
            assert version in self.versions, f"{times} answers of version {version}, which never was in service"
            assert values == self.versions[version].predictions, f"version {version} answered wrongly {times} times"
        return sum(answers.values())

    def note_versions(self) -> None:
        """Finds out which reference each version in service is; each must be one, byte by byte, with its record."""
        for version, path in self.in_service().items():
            checksum = folder_checksum(path)
            matching = [r for r in self._references.values() if r.checksum == checksum]
            assert matching, f"version {version} is not what any undisturbed run pushes"
            record = read_json(path.with_name(f"{version}.json"))
            assert (record["version"], record["checksum"]) == (version, checksum)
            self.versions[version] = matching[0]

    def keep_newest(self, asker: Asker) -> None:
        """Removes older versions, once the server has gone to the newest, as a retention job would."""
        newest, *older = self.in_service()
        wait_until(lambda: asker.last == newest, 20)
        for version in older:
            shutil.rmtree(self.model_folder / str(version))
            (self.model_folder / f"{version}.json").unlink()

    # ---- Judgements ----

    def check_screens(self, root: Path, options: Sequence[str]) -> None:
        """After a kill, what only looks still works: no traceback, and `plan` succeeds."""
        for arguments in (["plan", *options], ["runs"], ["show"]):
            child = self.commands.run(*arguments, "--root", root)
            assert child.wait() == 0 or (arguments == ["show"] and child.wait() == 1), child.said
            assert "Traceback" not in child.said, child.said

    def recover(self, root: Path, options: Sequence[str]) -> dict[str, Any]:
        """The next run succeeds without any clean-up, and leaves nothing of the one before. Returns what it printed."""
        child = self.commands.run("run", *options, "--root", root, "--json")
        assert child.wait() == 0, child.said
        assert leftovers(root, self.served) == []
        assert child.relatives() == []
        return dict(json.loads(child.out))

    def check_whole(self, root: Path) -> None:
        """Every artifact of a root is as it was finished."""
        child = self.commands.run("verify", "--all", "--root", root)
        assert child.wait() == 0, child.said


def leftovers(*folders: Path) -> list[str]:
    """What an interrupted process has left below some folders: unfinished files and folders."""
    return sorted(str(path) for folder in folders for path in folder.rglob("*") if path.name.startswith(LEFTOVERS))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Asks until `condition()` holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def kill_hard(process: subprocess.Popen[Any]) -> None:
    """Sends SIGKILL and waits for the end."""
    process.kill()
    process.wait()
