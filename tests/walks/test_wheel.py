"""Uses the package beside modules of a user's that have our folders' names."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import PurePosixPath

import pytest

from support import REPOSITORY
from support.fake_server import XS, FakeServer
from support.wheel import UV, build_wheel

OURS = ("pipeline", "components", "serving")


@pytest.fixture
def folder(tmp_path):
    """A user's folder whose modules have the names of our folders; each raises where it is imported."""
    folder = tmp_path / "user"
    for name in ("components", "pipeline"):
        (folder / name).mkdir(parents=True)
    for name in ("serving.py", "components/__init__.py", "pipeline/__init__.py"):
        (folder / name).write_text("raise RuntimeError('a module of the user was imported')\n")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    """A Python that has the wheel, and our dependencies from the environment of this process."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    python = venv / "bin" / "python"
    subprocess.run([UV, "venv", "-q", "-p", sys.executable, venv], check=True)
    subprocess.run([UV, "pip", "install", "-q", "-p", python, "--no-deps", wheel], check=True)
    (site_packages,) = venv.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


def check_in(folder, python, **environment):
    """Runs README's client and `python -m crossnet plan` in a user's folder."""

    def run(*arguments):
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CROSSNET_ROOT")}
        done = subprocess.run(
            [python, *arguments], cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (client,) = re.findall(r"```python\n(# client\.py\n.*?)```", (REPOSITORY / "README.md").read_text(), re.S)
    with FakeServer(XS).running() as target:
        (folder / "client.py").write_text(client.replace("localhost:8500", target))
        assert run("client.py") == "7 [0.5 1. ]\n"
    planned = run("-m", "crossnet", "plan")
    assert [line.split()[1] for line in planned.splitlines()[1:]] == ["run"] * 10
    return run


def test_source_tree_works_beside_modules_of_the_same_names(folder):
    check_in(folder, sys.executable, PYTHONPATH=str(REPOSITORY))


@pytest.mark.slow
def test_wheel_works_beside_modules_of_the_same_names(folder, installed):
    run = check_in(folder, installed)
    place = run("-c", "import crossnet; print(crossnet.__file__)")
    assert place.startswith(str(installed.parent.parent))
    command = subprocess.run([installed.parent / "crossnet", "--version"], cwd=folder, capture_output=True, text=True)
    assert command.stdout.startswith("crossnet, version ")


@pytest.mark.slow
def test_wheel_holds_one_package_and_every_file_of_it(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {PurePosixPath(name).parts[0] for name in names} == {"crossnet"}
    files = [file for file in (REPOSITORY / "crossnet").iterdir() if file.is_file()]
    files += [file for name in OURS for file in (REPOSITORY / name).rglob("*") if file.is_file()]
    wanted = {file for file in files if "__pycache__" not in file.parts}
    expected = {
        PurePosixPath(relative) if relative.startswith("crossnet/") else PurePosixPath("crossnet", relative)
        for relative in (file.relative_to(REPOSITORY).as_posix() for file in wanted)
    }
    assert {PurePosixPath(name) for name in names} == expected
    for name in ("py.typed", "pipeline/configs/default.toml", "pipeline/report/templates/style.css"):
        assert f"crossnet/{name}" in names
    assert "crossnet/serving/deploy/kubernetes/service.yaml" in names
