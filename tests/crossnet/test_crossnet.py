import subprocess
import sys

import pytest

import crossnet
from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.source_code import code_digests
from support import REPOSITORY


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("Artifact", "crossnet.components.artifacts.base"),
        ("AsyncPredictionClient", "crossnet.serving.client.aio"),
        ("Config", "crossnet.pipeline.config"),
        ("CrossGated", "crossnet.components.networks.cross_gated"),
        ("CrossLayer", "crossnet.components.networks.layers"),
        ("CrossMix", "crossnet.components.networks.cross_mix"),
        ("LoadedRun", "crossnet.pipeline.api.loaded_run"),
        ("NotBlessedError", "crossnet.components.errors"),
        ("PipelineError", "crossnet.components.errors"),
        ("PredictionClient", "crossnet.serving.client.sync"),
        ("RunFailedError", "crossnet.pipeline.api.calls"),
        ("load_run", "crossnet.pipeline.api.calls"),
        ("run", "crossnet.pipeline.api.calls"),
        ("setting", "crossnet.components.params.setting"),
    ],
)
def test_public_name_is_the_object_of_its_module(name, module):
    found = getattr(crossnet, name)
    assert found is getattr(sys.modules[module], name)


def test_public_names_are_listed_and_all_of_them_exist():
    assert set(crossnet.__all__) <= set(dir(crossnet))
    assert all(callable(getattr(crossnet, name)) for name in crossnet.__all__)


def test_unknown_name_is_refused_with_the_names_that_exist():
    names = ", ".join(crossnet.__all__)
    sentence = rf"`crossnet` has no attribute `Client`\. It has: {names}\."
    with pytest.raises(AttributeError, match=sentence):
        crossnet.Client  # noqa: B018
    with pytest.raises(ImportError, match="Client"):
        from crossnet import Client  # noqa: F401


def test_import_loads_nothing_but_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import crossnet\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.split() == ["crossnet"]


def test_the_file_of_public_names_is_not_part_of_any_steps_code():
    """It names modules of all rooms: with it, a change anywhere would run every step again."""
    modules = {step.function.partition(":")[0] for step in build_graph(Config())}
    assert len(modules) == 8
    assert "crossnet" not in set().union(*map(code_digests, modules))
