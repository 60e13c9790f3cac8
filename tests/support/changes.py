"""Lists kinds of change to a finished run's world, and what each must run again.

`tests/walks/test_changes.py` judges them by plans over made-up artifacts; `tests/torture/test_changes.py` by real runs,
each beside a run in a fresh root.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crossnet.components.artifacts.evaluation import BLESSED, Evaluation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.artifacts.schema import SCHEMA_FILE, Schema
from crossnet.components.files import folder_checksum, write_json
from crossnet.components.model_folder import versions_in_service
from crossnet.pipeline import fingerprint, source_code
from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.plan import Plan, make_plan
from crossnet.pipeline.run_record import RunRecord, StepRecord
from crossnet.pipeline.store import Store, utc_now
from support import REPOSITORY

FOLDERS = ("components", "crossnet", "pipeline", "serving")
CONFIG = """\
# What rides cost.
models = ["cross_layer", "dense"]

[example_gen]
source = "csv"
input = "rows/*.csv"
label = "fare"
exclude = ["ride_id", "note"]
split = "hash"

[trainer]
epochs = 4
batch_size = 50
learning_rate = 0.02

[evaluator]
max_rmse = 99.0
min_improvement = "none"
max_mean_ratio = "none"
max_linear_ratio = "none"
non_inferiority_margin = "none"
total_margin = "none"

[pusher]
model_name = "rides"
"""


@dataclass
class World:
    """All that a run depends on: rows, config, root, code, and how it is called.

    Attributes:
      home: The folder that holds the rest.
      config: The config file.
      root: The root.
      code: The folder whose package runs.
      overrides: `--set`.
      env: Environment variables beside those of the tests; None: it is not set.
      folder: The working directory.
      prefix: The command that starts the command, such as taskset.
      umask: Of the process; None: the tests' own.
      settle: Makes everything that the plan asks for.
    """

    home: Path
    settle: Callable[[World], None] = lambda world: None
    config: Path = field(init=False)
    root: Path = field(init=False)
    code: Path = REPOSITORY
    overrides: list[str] = field(default_factory=list)
    env: dict[str, str | None] = field(default_factory=dict)
    folder: Path = field(init=False)
    prefix: list[str] = field(default_factory=list)
    umask: int | None = None

    def __post_init__(self) -> None:
        self.config, self.root, self.folder = self.home / "config.toml", self.home / "root", self.home

    @property
    def rows(self) -> Path:
        return self.home / "rows"

    @property
    def site(self) -> Path:
        """A folder of packages before all others."""
        return self.home / "site"

    @property
    def model(self) -> Path:
        """The folder of the versions in service."""
        return self.root / "serving_models" / "rides"

    @property
    def served(self) -> Path:
        """The folder of the version in service."""
        return next(iter(versions_in_service(self.model).values()))

    def edit(self, file: Path, old: str, new: str) -> None:
        text = file.read_text()
        assert old in text, f"{old!r} is not in {file}"
        file.write_text(text.replace(old, new, 1))

    def set(self, old: str, new: str) -> None:
        """Edits the config file."""
        self.edit(self.config, old, new)

    def copy_code(self) -> Path:
        self.code = self.home / "code"
        for name in FOLDERS:
            shutil.copytree(
                REPOSITORY / name, self.code / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        return self.code

    def add_code(self, module: str, text: str = "\nUNUSED = 1\n") -> None:
        with (self.copy_code() / module).open("a") as stream:
            stream.write(text)

    def install(self, name: str, version: str) -> None:
        """Makes `importlib.metadata` find that version of a package first."""
        folder = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def make_world(home: Path) -> World:
    """Writes two files of 200 rows each and a config of two models."""
    (home / "rows").mkdir(parents=True)
    for number, name in enumerate(("a", "b")):
        lines = ["ride_id,zone,miles,note,fare"]
        for i in range(200 * number, 200 * number + 200):
            zone, miles = ("north", "south", "east")[i % 3], (i * 37 % 101) / 10
            lines.append(f"{i},{zone},{miles},n{i % 7},{3 + (4 if zone == 'east' else 2) * miles:.2f}")
        (home / "rows" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (home / "config.toml").write_text(CONFIG)
    return World(home)


@contextlib.contextmanager
def seen_from(world: World) -> Iterator[None]:
    """Lets this process see the code and the packages that a process of that world would see."""

    def forget() -> None:
        source_code.forget()
        fingerprint.library_versions.cache_clear()

    before = source_code.PROJECT
    source_code.PROJECT = world.code
    sys.path.insert(0, str(world.site))
    forget()
    try:
        yield
    finally:
        source_code.PROJECT = before
        sys.path.remove(str(world.site))
        forget()


def plan_of(world: World) -> Plan:
    """Returns the plan that `crossnet plan` makes in that world."""
    with seen_from(world):
        return make_plan(load_config(world.config, world.overrides), Store(world.root))


def make_up(world: World) -> None:
    """Finishes every step of the plan with a made-up artifact, and pushes a made-up model."""
    store = Store(world.root)
    while waiting := [planned for planned in plan_of(world).values() if not planned.done]:
        planned = waiting[0]
        step = planned.step
        with store.working_folder(step.name) as folder:
            (folder / "made.txt").write_text("made up")
            if step.output is Schema:
                (folder / SCHEMA_FILE).write_text("# made up\n")
            if step.output is Evaluation:
                (folder / BLESSED).touch()
            properties = _push(world, planned.parts["inputs"]["models"]) if step.output is PushedModel else {}
            store.finish(step.output(folder, {}, properties), step.name, planned.fingerprint, planned.parts)
    steps = {
        name: StepRecord(
            status="ran", artifact=str(planned.path.relative_to(store.root)), fingerprint=planned.fingerprint
        )
        for name, planned in plan_of(world).items()
    }
    folder = store.new_run(None)
    RunRecord(run=folder.name, root=str(store.root), started=utc_now(), complete=True, steps=steps).write(folder)


def _push(world: World, models: dict[str, str]) -> dict[str, object]:
    version = max(versions_in_service(world.model), default=100) + 1
    folder = world.model / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(str(models))
    write_json(world.model / f"{version}.json", {"version": version, "model": next(iter(models.values()))})
    return {"version": version, "destination": str(folder), "checksum": folder_checksum(folder), "model": "m"}


def expected_steps(spec: str, world: World) -> set[str]:
    """Returns the steps that `spec` names; `statistics_gen+` is that step and all that read what comes of it."""
    graph = build_graph(load_config(world.config, world.overrides))
    found: set[str] = set()
    for word in spec.split():
        name = word.removesuffix("+")
        assert name in {step.name for step in graph}, name
        reached = {name}
        for step in graph if word.endswith("+") else ():
            if reached & {*step.input_steps}:
                reached.add(step.name)
        found |= reached
    return found


@dataclass(frozen=True)
class Kind:
    """A kind of change.

    Attributes:
      change: Makes the change.
      runs: What must run again; see `expected_steps`.
      why: What `crossnet why` says of the first of these steps.
      before: Changes made before, each followed by a run.
      planned: Whether a plan alone shows it; else a change of surroundings, which no plan sees.
      exit_code: Of the run after the change.
      same_bytes: Whether a fresh root must give the same bytes.
    """

    change: Callable[[World], object]
    runs: str = ""
    why: str = ""
    before: tuple[Callable[[World], object], ...] = ()
    planned: bool = True
    exit_code: int = 0
    same_bytes: bool = True


ALL = "example_gen+"
GATE = "evaluator+"


def _lines(world: World, mend: Callable[[list[str]], list[str]], name: str = "a.csv") -> None:
    file = world.rows / name
    file.write_text("\n".join(mend(file.read_text().splitlines())) + "\n")


def _columns(world: World, mend: Callable[[list[str], int], list[str]]) -> None:
    for name in ("a.csv", "b.csv"):
        _lines(world, lambda lines: [",".join(mend(line.split(","), i)) for i, line in enumerate(lines)], name)


def _split(world: World) -> None:
    header, *rows = (world.rows / "b.csv").read_text().splitlines()
    for name, part in (("b.csv", rows[:100]), ("c.csv", rows[100:])):
        (world.rows / name).write_text("\n".join([header, *part]) + "\n")


def _rewrite(file: Path, mend: Callable[[bytes], bytes]) -> None:
    file.write_bytes(mend(file.read_bytes()))


def _gzip(world: World) -> None:
    data = (world.rows / "b.csv").read_bytes()
    (world.rows / "b.csv").unlink()
    (world.rows / "b.csv.gz").write_bytes(gzip.compress(data, mtime=0))
    world.set("rows/*.csv", "rows/*")


def _link(world: World) -> None:
    target = world.home / "elsewhere.csv"
    (world.rows / "b.csv").rename(target)
    (world.rows / "b.csv").symlink_to(target)


def _touch(world: World) -> None:
    for file in [*world.rows.iterdir(), world.config]:
        os.utime(file, (0, 0))


def _move_rows(world: World) -> None:
    world.rows.rename(world.home / "table")
    world.set("rows/*.csv", "table/*.csv")


def _move_config(world: World) -> None:
    (world.home / "configs").mkdir()
    world.config = world.config.rename(world.home / "configs" / "rides.toml")
    world.set("rows/*.csv", "../rows/*.csv")


def _write_otherwise(world: World) -> None:
    head, *sections = world.config.read_text().split("\n\n")
    text = "\n\n".join([*head.splitlines()[1:], *reversed(sections)])  # a key comes before all sections
    text = text.replace('"dense"]', "'dense',\n  ]").replace(
        "epochs = 4\nbatch_size = 50", "batch_size = 5_0\nepochs=4"
    )
    world.config.write_text(text.replace("99.0", "9.9e1").replace('label = "fare"', 'label = """fare"""'))


def _by_set(world: World) -> None:
    world.set("epochs = 4\n", "")
    world.overrides = ["trainer.epochs=4"]


def _schema_file(world: World) -> None:
    (schema,) = world.root.glob(f"artifacts/schema_gen/*/{SCHEMA_FILE}")
    shutil.copy(schema, world.home / "rides.pbtxt")
    world.set("[trainer]", '[schema_gen]\nschema_file = "rides.pbtxt"\n\n[trainer]')


def _move_schema(world: World) -> None:
    (world.home / "schemas").mkdir()
    (world.home / "rides.pbtxt").rename(world.home / "schemas" / "rides.pbtxt")
    world.set('"rides.pbtxt"', '"schemas/rides.pbtxt"')


def _by_hand(world: World) -> None:
    copy = world.model / str(int(world.served.name) + 1)
    shutil.copytree(world.served, copy)
    (copy / "note.txt").write_text("put here by hand")


def _roll_back(world: World) -> None:
    world.served.rename(world.served.with_suffix(".rolled_back"))


def _move_serving(world: World) -> None:
    (world.root / "serving_models").rename(world.home / "served")
    world.set("[pusher]", f'[pusher]\nserving_dir = "{world.home / "served"}"')


def _move_root(world: World) -> None:
    world.root = world.root.rename(world.home / "elsewhere")


def _remove(world: World, pattern: str) -> None:
    (path,) = world.root.glob(pattern)
    shutil.rmtree(path)


def _environment(**env: str | None) -> Kind:
    return Kind(lambda world: world.env.update(env), planned=False)


def _setting(section: str, text: str, runs: str, why: str) -> Kind:
    """Adds a setting to a section of the config file."""

    def change(world: World) -> None:
        if f"[{section}]" not in world.config.read_text():
            world.set("[trainer]", f"[{section}]\n\n[trainer]")
        world.set(f"[{section}]", f"[{section}]\n{text}")

    return Kind(change, runs, why)


ROWS = {
    "a value": Kind(lambda w: w.edit(w.rows / "a.csv", "1,south,3.7", "1,south,3.8"), ALL, "`a.csv` has other content"),
    "order of rows": Kind(lambda w: _lines(w, lambda t: [t[0], *reversed(t[1:])]), ALL, "`a.csv` has other content"),
    "a row removed": Kind(lambda w: _lines(w, lambda t: t[:-1]), ALL, "`a.csv` has other content"),
    "a row repeated": Kind(lambda w: _lines(w, lambda t: [*t, t[-1]]), ALL, "`a.csv` has other content"),
    "a file renamed": Kind(lambda w: (w.rows / "b.csv").rename(w.rows / "z.csv"), ALL, "`b.csv` is called `z.csv` now"),
    "files in another order": Kind(
        lambda w: [
            (w.rows / old).rename(w.rows / new) for old, new in (("a.csv", "tmp"), ("b.csv", "a.csv"), ("tmp", "b.csv"))
        ],
        ALL,
        "`a.csv` has other content",
    ),
    "a file split in two": Kind(_split, ALL, "`b.csv` has other content"),
    "a file doubled": Kind(lambda w: shutil.copy(w.rows / "b.csv", w.rows / "c.csv"), ALL, "`c.csv` is new"),
    "a file removed": Kind(lambda w: (w.rows / "b.csv").unlink(), ALL, "`b.csv` is gone"),
    "a column added": Kind(
        lambda w: _columns(w, lambda cells, i: [*cells, str(i * 7 % 5) if i else "age"]), ALL, "has other content"
    ),
    "a column removed": Kind(lambda w: _columns(w, lambda cells, i: cells[:1] + cells[2:]), ALL, "has other content"),
    "columns in another order": Kind(
        lambda w: _columns(w, lambda cells, i: [cells[2], *cells[:2], *cells[3:]]), ALL, "has other content"
    ),
    "a column renamed": Kind(
        lambda w: _columns(w, lambda cells, i: cells if i else [*cells[:2], "distance", *cells[3:]]),
        ALL,
        "has other content",
    ),
    "CRLF for LF": Kind(lambda w: _rewrite(w.rows / "a.csv", lambda b: b.replace(b"\n", b"\r\n")), ALL, "`a.csv` has"),
    "a byte order mark": Kind(lambda w: _rewrite(w.rows / "a.csv", lambda b: b"\xef\xbb\xbf" + b), ALL, "`a.csv` has"),
    "a file compressed": Kind(_gzip, ALL, "`b.csv.gz` is new"),
    "an excluded column's values": Kind(
        lambda w: w.edit(w.rows / "a.csv", "n1", "n8"), ALL, "`a.csv` has other content"
    ),
    "times of files": Kind(_touch),
    "a link for a file": Kind(_link),
    "rows moved to another folder": Kind(_move_rows),
    "a file beside the rows": Kind(lambda w: (w.rows / "README.md").write_text("# Rides\n")),
    "permissions of a file": Kind(lambda w: (w.rows / "a.csv").chmod(0o400)),
}
CONFIGS = {
    "a comment": Kind(lambda w: w.set("# What", "# What all")),
    "the same written otherwise": Kind(_write_otherwise),
    "--set for a line": Kind(_by_set),
    "the config file moved": Kind(_move_config),
    "a default written out": _setting("trainer", "beta_1 = 0.9", "", ""),
    "order of excluded columns": Kind(lambda w: w.set('["ride_id", "note"]', '["note", "ride_id"]')),
    "number of workers": Kind(lambda w: w.set("models = [", "num_workers = 2\nmodels = [")),
    "engine": Kind(lambda w: w.set("models = [", 'engine = "local"\nmodels = [')),
    "[example_gen]": _setting("example_gen", "eval_fraction = 0.2", ALL, "example_gen.eval_fraction: 0.1 → 0.2"),
    "[example_gen] exclude": Kind(
        lambda w: w.set('"ride_id", "note"', '"note"'), ALL, "example_gen.exclude: ['note', 'ride_id'] → ['note']"
    ),
    "[statistics_gen]": _setting(
        "statistics_gen", "num_top_values = 5", "statistics_gen+", "statistics_gen.num_top_values: 20 → 5"
    ),
    "[schema_gen]": _setting("schema_gen", "max_domain = 2", "schema_gen+", "schema_gen.max_domain: 100 → 2"),
    "[example_validator]": _setting(
        "example_validator", "warn_skew = 0.5", "example_validator", "example_validator.warn_skew: 0.1 → 0.5"
    ),
    "[trainer]": Kind(
        lambda w: w.set("epochs = 4", "epochs = 5"),
        "trainer_cross_layer trainer_dense evaluator+",
        "trainer.epochs: 4 → 5",
    ),
    "[cross_layer]": _setting("cross_layer", "num_layers = 2", "trainer_cross_layer+", "cross_layer.num_layers: 1 → 2"),
    "[dense]": _setting("dense", "units = [4]", "trainer_dense+", "dense.units: [3, 3, 3] → [4]"),
    "[dense] order of units": Kind(
        lambda w: w.set("units = [4, 3]", "units = [3, 4]"),
        "trainer_dense+",
        "dense.units: [4, 3] → [3, 4]",
        before=(lambda w: w.set("[trainer]", "[dense]\nunits = [4, 3]\n\n[trainer]"),),
    ),
    "[tfrs_cross], which is not trained": _setting("tfrs_cross", "num_layers = 2", "", ""),
    "[evaluator]": Kind(lambda w: w.set("99.0", "98.0"), GATE, "evaluator.max_rmse: 99.0 → 98.0"),
    "[infra_validator]": _setting(
        "infra_validator", "num_single_rows = 3", "infra_validator+", "infra_validator.num_single_rows: 20 → 3"
    ),
    "[pusher]": Kind(
        lambda w: w.set('"rides"', '"trips"'),
        "trainer_cross_layer trainer_dense evaluator+",
        "pusher.model_name: rides → trips",
    ),
    "order of models": Kind(
        lambda w: w.set('["cross_layer", "dense"]', '["dense", "cross_layer"]'),
        GATE,
        "models: cross_layer, dense → dense, cross_layer",
    ),
    "a model added": Kind(
        lambda w: w.set('["cross_layer", "dense"]', '["cross_layer", "tfrs_cross", "dense"]'),
        "trainer_tfrs_cross evaluator+",
        "it has never run in this root",
    ),
    "a model removed": Kind(
        lambda w: w.set('["cross_layer", "dense"]', '["cross_layer"]'), GATE, "models: cross_layer, dense → cross_layer"
    ),
    "a setting changed and changed back": Kind(
        lambda w: w.set("epochs = 5", "epochs = 4"),
        GATE,
        "the model in service to compare with",
        before=(lambda w: w.set("epochs = 4", "epochs = 5"),),
    ),
    "order of models changed and changed back": Kind(
        lambda w: w.set('["dense", "cross_layer"]', '["cross_layer", "dense"]'),
        "pusher",
        "no longer the newest in service",
        before=(lambda w: w.set('["cross_layer", "dense"]', '["dense", "cross_layer"]'),),
    ),
    "the schema's content": Kind(
        lambda w: w.edit(w.home / "rides.pbtxt", "", "# reviewed\n"),
        "schema_gen+",
        "`rides.pbtxt` has other content",
        before=(_schema_file,),
    ),
    "the schema file moved": Kind(_move_schema, before=(_schema_file,)),
    "a schema file named": Kind(_schema_file, "schema_gen+", "`rides.pbtxt` is new"),
}
CODE = {
    "code copied elsewhere": Kind(lambda w: w.copy_code()),
    "code of a step": Kind(
        lambda w: w.add_code("components/statistics_gen.py"),
        "statistics_gen+",
        "the code of crossnet.components.statistics_gen was changed",
    ),
    "code that all steps share": Kind(
        lambda w: w.add_code("components/files.py"), ALL, "the code of crossnet.components.files was changed"
    ),
    "code of the networks": Kind(
        lambda w: w.add_code("components/networks/models.py"),
        "trainer_cross_layer trainer_dense evaluator+",
        "the code of crossnet.components.networks.models was changed",
    ),
    "code of the client": Kind(
        lambda w: w.add_code("serving/client/answers.py"),
        "infra_validator+",
        "the code of crossnet.serving.client.answers was changed",
    ),
    "code of the last step": Kind(
        lambda w: w.add_code("components/pusher.py"), "pusher", "the code of crossnet.components.pusher was changed"
    ),
    "a comment in the code": Kind(lambda w: w.add_code("components/files.py", "# Why not?\n")),
    "a docstring": Kind(lambda w: w.edit(w.copy_code() / "components/trainer.py", '"""Trains', '"""It trains')),
    "a help text": Kind(
        lambda w: w.edit(
            w.copy_code() / "components/params/trainer.py", '"passes over train; auto: by the rows"', '"how often"'
        )
    ),
    "code of no step": Kind(lambda w: w.add_code("pipeline/console.py")),
    "a report's template": Kind(lambda w: w.add_code("pipeline/report/templates/report_verdict.html", "<!-- -->\n")),
    "a library's version": Kind(lambda w: w.install("numpy", "99.0"), ALL, "→ 99.0"),
    "the version of a library for one model": Kind(lambda w: w.install("tensorflow-recommenders", "99.0")),
}
SERVICE = {
    "the model in service changed by hand": Kind(
        lambda w: (w.served / "note.txt").write_text("changed"), "pusher", "or not as it was pushed"
    ),
    "the version removed": Kind(lambda w: shutil.rmtree(w.served), "pusher", "no longer the newest in service"),
    "the version rolled back": Kind(_roll_back, "pusher", "no longer the newest in service", exit_code=3),
    "another version put there by hand": Kind(_by_hand, GATE, "the model in service to compare with: none → "),
    "the serving folder moved": Kind(_move_serving, "pusher", "pusher.serving_dir: '' → "),
    "the serving folder moved away": Kind(
        lambda w: (w.root / "serving_models").rename(w.home / "gone"), "pusher", "no longer the newest in service"
    ),
    "the root moved": Kind(_move_root, "pusher", "the serving folder: "),
    "an artifact removed": Kind(lambda w: _remove(w, "artifacts/statistics_gen/*"), "statistics_gen", "its artifact"),
    "the runs removed": Kind(lambda w: shutil.rmtree(w.root / "runs")),
}
SURROUNDINGS = {
    "time zone": _environment(TZ="Pacific/Kiritimati"),
    "locale": _environment(LC_ALL="tr_TR.UTF-8", LANG="tr_TR.UTF-8"),
    "PYTHONHASHSEED": _environment(PYTHONHASHSEED="7"),
    "PYTHONOPTIMIZE": _environment(PYTHONOPTIMIZE="1"),  # tf_keras itself does not start without docstrings
    "oneDNN switched off": _environment(TF_ENABLE_ONEDNN_OPTS="0"),
    "OMP_NUM_THREADS": _environment(OMP_NUM_THREADS="1"),
    "the folder for temporary files": Kind(
        lambda w: ((w.home / "temporary").mkdir(), w.env.update(TMPDIR=str(w.home / "temporary"))), planned=False
    ),
    "no HOME": _environment(HOME=None),
    "umask": Kind(lambda w: setattr(w, "umask", 0o077), planned=False),
    "working directory": Kind(lambda w: setattr(w, "folder", Path("/")), planned=False),
    # Sums come in another order on another number of cores: what `components/training/fit.py` does not promise.
    "one core": Kind(lambda w: w.prefix.extend(["taskset", "-c", "0"]), planned=False, same_bytes=False),
}
KINDS = {**ROWS, **CONFIGS, **CODE, **SERVICE, **SURROUNDINGS}


def make_changed(kind: Kind, world: World) -> World:
    """Settles the world, makes the change, and returns the world."""
    for change in kind.before:
        change(world)
        world.settle(world)
    kind.change(world)
    return world
