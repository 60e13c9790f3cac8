"""Checks the package's metadata: licence, Pythons, declared imports, bounds, and locks."""

import ast
import importlib.metadata
import re
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from support import REPOSITORY
from support.project import PROJECT, allowed_pythons

REQUIREMENTS = {canonicalize_name(text.name): text for text in map(Requirement, PROJECT["dependencies"])}
EXTRAS = {name: [Requirement(text) for text in texts] for name, texts in PROJECT["optional-dependencies"].items()}
OF_EXTRAS = {
    "cyclonedx-python-lib": "sbom",
    "packageurl-python": "sbom",
    "packaging": "sbom",
    "lightgbm": "lightgbm",
    "optuna": "tune",
    "kfp": "kfp",
    "pyspark": "spark",
    "apache-beam": "beam",
    "mlflow": "mlflow",
    "duckdb": "sql",
    "adbc-driver-manager": "sql",
    "adbc-driver-postgresql": "sql",
    "adbc-driver-sqlite": "sql",
}
# By lock, the extras that it pins.
LOCKS = {
    "requirements.lock": [],
    "requirements-dev.lock": EXTRAS.keys() - {"tables", "kfp", "spark", "beam", "mlflow"},
    "requirements-spark.lock": ["spark", "test"],
    "requirements-kfp.lock": ["kfp", "test"],
    "requirements-beam.lock": ["beam", "test"],
    "requirements-mlflow.lock": ["mlflow", "test"],
    "requirements-tables.lock": ["tables"],
    "requirements-tfma.lock": ["test"],
}
BOUNDED = ("grpcio", "numpy", "orjson", "protobuf", "pyarrow", "starlette")  # a new major of these changed what we use
COMES_WITH = {"py4j": "pyspark"}  # it is built on it and requires it


def pins(lock):
    """Returns the pinned versions of each package; several where they depend on the Python."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", (REPOSITORY / lock).read_text(), re.M):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


def imported():
    """Returns the third-party packages that `crossnet` imports, wherever the statement is."""
    found = set()
    for folder in ("crossnet", "pipeline", "components", "serving"):
        for file in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names | {"crossnet"}}


def test_the_licence_is_apache_2_and_its_text_is_in_the_distribution():
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    text = (REPOSITORY / "LICENSE").read_text()
    assert text.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_classifiers_name_the_pythons_of_requires_python():
    found = [text.rpartition(" :: ")[2] for text in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert found == allowed_pythons()


def test_urls_have_https_and_no_registry():
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= PROJECT["urls"].keys()
    assert all(url.startswith("https://github.com/") for url in PROJECT["urls"].values())


def test_every_import_is_declared():
    owners = importlib.metadata.packages_distributions()
    undeclared = set()
    for name in imported():
        top = name.partition(".")[0]
        if top == "google":  # a namespace of several distributions
            known = {"google.protobuf": "protobuf", "google.rpc": "googleapis-common-protos"}
            names = {package for prefix, package in known.items() if name.startswith(prefix)}
        else:
            names = {canonicalize_name(COMES_WITH.get(top, owner)) for owner in owners.get(top, [top])}
        if not names & (REQUIREMENTS.keys() | OF_EXTRAS.keys()):
            undeclared.add(name)
    assert undeclared == set()


@pytest.mark.parametrize(("name", "extra"), OF_EXTRAS.items())
def test_what_only_an_extra_brings_is_asked_for_there(name, extra):
    assert name in {canonicalize_name(Requirement(text).name) for text in PROJECT["optional-dependencies"][extra]}


@pytest.mark.parametrize("name", BOUNDED)
def test_the_next_major_is_not_taken_unseen(name):
    newest = max(pins("requirements.lock")[name])
    assert not REQUIREMENTS[name].specifier.contains(f"{newest.major + 1}.0.0")


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_satisfy_the_requirements_and_hold_no_address(lock):
    found = pins(lock)
    of_extras = [requirement for extra in LOCKS[lock] for requirement in EXTRAS[extra]]
    for requirement in [*REQUIREMENTS.values(), *of_extras]:
        versions = found[canonicalize_name(requirement.name)]
        assert [v for v in versions if not requirement.specifier.contains(v)] == [], requirement
    assert "://" not in (REPOSITORY / lock).read_text()


@pytest.mark.parametrize("lock", ["requirements-dev.lock", "requirements-tables.lock", "requirements-spark.lock"])
def test_larger_locks_pin_what_the_first_one_pins(lock):
    larger = pins(lock)
    assert {name: larger[name] for name in pins("requirements.lock")} == pins("requirements.lock")
