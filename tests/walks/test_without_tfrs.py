"""Runs the pipeline where tensorflow-recommenders is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import REPOSITORY

SMALL = ("example_gen.num_examples=1000", "trainer.epochs=5", "trainer.batch_size=100", "evaluator.max_rmse=10")
SMALL += ("evaluator.max_mean_ratio=none", "evaluator.max_linear_ratio=none", "evaluator.min_improvement=none")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder of links to every installed package but the library, of which its process finds no trace."""
    folder = tmp_path_factory.mktemp("packages")
    for place in map(Path, sys.path):
        if place.name in ("site-packages", "dist-packages"):
            for package in place.iterdir():
                link = folder / package.name
                if not package.name.startswith("tensorflow_recommenders") and not link.exists():
                    link.symlink_to(package)
    return folder


def crossnet(packages, *arguments, settings=()):
    """Calls the command line in a process that has `packages` and nothing else."""
    options = [part for setting in settings for part in ("--set", setting)]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{packages}"}
    command = [sys.executable, "-S", "-m", "crossnet", *arguments, *options]  # -S: without site-packages
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_process_of_these_tests_does_not_find_the_library(packages):
    code = (
        "import importlib.metadata as metadata, importlib.util as util; import tensorflow_metadata\n"
        "print(util.find_spec('tensorflow_recommenders'), [*metadata.distributions(name='tensorflow-recommenders')])"
    )
    environment = os.environ | {"PYTHONPATH": str(packages)}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "None []\n", done.stderr


@pytest.mark.slow
def test_run_without_the_reference_needs_no_tensorflow_recommenders(packages, tmp_path):
    settings = ('models=["cross_layer", "dense"]', *SMALL)
    done = crossnet(packages, "run", "--json", "--root", str(tmp_path / "root"), settings=settings)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["verdict"], list(facts["models"])) == ("BLESSED", ["cross_layer", "dense"])
    assert (Path(facts["serving_dir"]) / "crossnet" / str(facts["pushed_version"]) / "saved_model.pb").is_file()


def test_run_with_the_reference_says_what_to_install_before_any_step(packages, tmp_path):
    done = crossnet(packages, "run", "--root", str(tmp_path / "root"), settings=SMALL)
    assert done.returncode == 2
    assert "The model `tfrs_cross` needs the package tensorflow-recommenders, which is not installed." in done.stderr
    assert "Install it with `pip install tensorflow-recommenders`, or take `tfrs_cross` out of `models`." in done.stderr
    assert not (tmp_path / "root" / "artifacts").exists()
