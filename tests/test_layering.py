"""Who may import whom, and what must stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.graph import build_graph

HOUSE = Path(__file__).parent.parent
STEPS = {step.function.partition(":")[0].partition(".")[2] for step in build_graph(Config())}


def modules(package):
    return sorted((HOUSE / package).glob("*.py"))


def imports(file, *, everywhere=True):
    """Names of modules that the file imports; at the top only, unless everywhere."""
    tree = ast.parse(file.read_text())
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", modules("serving"), ids=lambda path: path.stem)
def test_serving_imports_neither_pipeline_nor_components(file):
    assert not {name for name in imports(file) if name.partition(".")[0] in ("pipeline", "components")}


@pytest.mark.parametrize("file", modules("components"), ids=lambda path: path.stem)
def test_components_import_no_pipeline_no_serving_and_no_other_step(file):
    found = set(imports(file))
    assert not {name for name in found if name.partition(".")[0] == "pipeline"}
    serving = {name for name in found if name.startswith("serving.") and name.count(".") == 1}
    assert serving <= (
        {"serving.launcher", "serving.client", "serving.status"} if file.stem == "infra_validator" else set()
    )
    others = {f"components.{step}" for step in STEPS - {file.stem}}
    assert not found & others or file.stem not in STEPS


@pytest.mark.parametrize("file", modules("components"), ids=lambda path: path.stem)
def test_keras_is_chosen_in_one_place(file):
    assert ("TF_USE_LEGACY_KERAS" in file.read_text()) == (file.stem == "__init__")
    assert "keras" not in {name.partition(".")[0] for name in imports(file)}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import pipeline.cli", "tensorflow numpy pyarrow grpc google.protobuf"),
        ("import pipeline.config, pipeline.graph, pipeline.store", "tensorflow numpy pyarrow grpc"),
        ("import pipeline.plan, pipeline.runner, pipeline.screen", "tensorflow pyarrow grpc"),
        (
            "import components.artifacts, components.files, components.params, components.errors",
            "tensorflow numpy google.protobuf",
        ),
        ("import components.example_gen, components.statistics_gen", "tensorflow"),
        ("import components.schema_gen, components.example_validator, components.pusher", "tensorflow"),
        ("import serving.client", "tensorflow pyarrow pipeline components"),
        ("import serving.launcher", "tensorflow"),
    ],
)
def test_import_stays_light(statement, absent):
    code = f"{statement}\nimport sys\nprint(*[name for name in {absent.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOUSE, check=True)
    assert done.stdout.strip() == ""
