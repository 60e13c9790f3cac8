"""Checks who may import whom, and which imports must stay light.

The table is that of CONTRIBUTING.md.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import build_graph
from support import REPOSITORY

FOLDERS = ("components", "serving", "pipeline")
MODULES = {
    ".".join(("crossnet", *file.relative_to(REPOSITORY).with_suffix("").parts)).removesuffix(".__init__"): file
    for folder in FOLDERS
    for file in sorted((REPOSITORY / folder).rglob("*.py"))
}
STEPS = {step.function.partition(":")[0] for step in build_graph(Config(reference="lightgbm"))}
GROUND = (
    *(
        "",
        "artifacts",
        "clock",
        "params",
        "engines",
        "errors",
        "features",
        "files",
        "formats",
        "hashing",
        "interrupts",
        "model_folder",
        "own_code",
        "progress",
        "ridge",
    ),
    *("damaged_versions", "rollback", "signal_watch"),
)
EVERYONES = {"ground", "serving.status", "serving.protocol"}

# Room -> the rooms that it may import, beside itself. A module at a folder's door is a room of its own, but for the
# ground of `components`, which every room there may import, and the steps.
MAY_IMPORT = {
    "ground": {"serving.protocol", "serving.storage"},
    "components.records": EVERYONES,
    "components.sources": EVERYONES | {"components.records"},
    "components.networks": EVERYONES | {"components.statistics"},
    "components.statistics": EVERYONES | {"components.records"},
    "components.validation": EVERYONES | {"components.statistics", "components.records"},
    "components.training": EVERYONES | {"components.networks", "components.records"},
    "components.evaluation": EVERYONES | {"components.records", "components.networks"},
    "steps": EVERYONES
    | {f"components.{room}" for room in ("sources", "records", "networks", "statistics", "validation")}
    | {"components.training", "components.evaluation"},
    "serving.status": {"serving.protocol"},
    "serving.protocol": {"serving.status"},
    "serving.client": {"serving.status", "serving.protocol"},
    "serving.storage": {"serving.status", "serving.protocol"},
    "serving.config": {"serving.status", "serving.protocol", "serving.storage"},
    "serving.embedded": {"serving.status", "serving.protocol", "serving.config", "serving.storage"},
    "serving.offline": {"serving.status", "serving.protocol", "serving.client", "serving.config", "serving.embedded"},
    "serving.rows": {"serving.status", "serving.protocol", "serving.client"},
    "serving.predict": {"serving.status", "serving.protocol", "serving.client", "serving.offline", "serving.rows"},
    "serving.logged": {"serving.status", "serving.protocol", "serving.rows"},
    "serving.bulk": {"serving.status", "serving.protocol", "serving.offline", "serving.predict", "serving.rows"},
    "serving.server": {"serving.status", "serving.protocol", "serving.embedded", "serving.config"},
    "serving.server_command": {
        "serving.status",
        "serving.protocol",
        "serving.server",
        "serving.embedded",
        "serving.config",
    },
    "serving.launcher": {
        "serving.status",
        "serving.protocol",
        "serving.server",
        "serving.server_command",
        "serving.client",
        "serving.config",
    },
}
LAUNCHES_A_SERVER = "crossnet.components.infra_validator"


def imports(file: Path) -> set[str]:
    """Names of the modules that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} imports by a relative name"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & MODULES.keys()) or {str(node.module)}
    return found


def room(module: str) -> str:
    """The room of one of our modules: `components.records`, `serving.status`, `ground`, `steps`, `pipeline`."""
    _, folder, *rest = (*module.split("."), "")
    if folder == "pipeline":
        return folder
    if folder == "components" and rest[0] in GROUND:
        return "ground"
    if module in STEPS:
        return "steps"
    return f"{folder}.{rest[0]}".rstrip(".")


def ours(module: str) -> set[str]:
    return {name for name in imports(MODULES[module]) if name in MODULES and room(name) != "serving"}


@pytest.mark.parametrize("module", [name for name in MODULES if ".pipeline" not in name])
def test_rooms_import_only_what_the_table_allows(module):
    here = room(module)
    if here == "serving":
        assert ours(module) == set()
        return
    allowed = MAY_IMPORT[here] | ({here} if here != "steps" else set())
    if module == LAUNCHES_A_SERVER:
        allowed = allowed | {"serving.launcher", "serving.client"}
    assert {name: room(name) for name in ours(module) if room(name) not in allowed} == {}


@pytest.mark.parametrize("module", [name for name in MODULES if ".pipeline" in name])
def test_nothing_imports_the_command_line_but_itself_and_the_reference(module):
    may = ".pipeline.cli" in module or module.endswith(".reference")
    assert may or not {name for name in ours(module) if ".pipeline.cli" in name}


def test_the_table_has_a_row_for_every_room():
    assert {room(name) for name in MODULES} - {"serving", "pipeline"} == MAY_IMPORT.keys()


@pytest.mark.parametrize(
    "file",
    [
        *(file for folder in (*FOLDERS, "tests", "benchmarks") for file in sorted((REPOSITORY / folder).rglob("*.py"))),
        *sorted((REPOSITORY / "crossnet").glob("*.py")),
    ],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_no_module_imports_a_folder_by_its_bare_name(file):
    assert not {name for name in imports(file) if name.partition(".")[0] in FOLDERS}


@pytest.mark.parametrize("module", [name for name in MODULES if ".components" in name])
def test_keras_is_chosen_in_one_place(module):
    names_it = "TF_USE_LEGACY_KERAS" in MODULES[module].read_text(encoding="utf-8")
    assert names_it == (module == "crossnet.components")
    assert "keras" not in {name.partition(".")[0] for name in imports(MODULES[module])}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import crossnet", "tensorflow grpc numpy crossnet.components crossnet.serving"),
        ("from crossnet import PredictionClient", "tensorflow pyarrow crossnet.pipeline crossnet.components"),
        ("import crossnet.pipeline.cli", "tensorflow numpy pyarrow grpc google.protobuf"),
        (
            "import crossnet.pipeline.config, crossnet.pipeline.graph, crossnet.pipeline.store",
            "tensorflow numpy pyarrow grpc",
        ),
        ("import crossnet.pipeline.cli.screen, crossnet.pipeline.plan, crossnet.pipeline.runner", "tensorflow grpc"),
        ("from crossnet.components import artifacts, errors, files, params", "tensorflow numpy google.protobuf"),
        ("import crossnet.components.example_gen, crossnet.components.statistics_gen", "tensorflow"),
        ("from crossnet.components import example_validator, pusher, schema_gen", "tensorflow"),
        ("import crossnet.serving.client", "tensorflow grpc"),
        ("import crossnet.serving.launcher", "tensorflow"),
    ],
)
def test_import_stays_light(statement, absent):
    code = f"{statement}\nimport sys\nprint(*[name for name in {absent.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.strip() == ""
