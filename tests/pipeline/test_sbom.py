import importlib
import importlib.metadata
import json
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from crossnet.components.errors import PipelineError
from crossnet.pipeline.sbom import Distribution, cyclonedx_json, installed, normalized


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes this Python find a distribution with these lines of metadata."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name, *lines):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]))
        importlib.invalidate_caches()

    return make


def found(name):
    (item,) = [item for item in installed() if item.name == name]
    return item


@pytest.mark.parametrize(
    ("lines", "licences"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: other"], ("MIT OR Apache-2.0",)),
        (["License: Apache 2.0", "Classifier: License :: OSI Approved :: MIT License"], ("Apache 2.0",)),
        (
            ["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: Other"],
            ("MIT License", "Other"),
        ),
        ([f"License: {'whole text ' * 10}", "Classifier: Topic :: Security"], ()),
    ],
)
def test_licences_are_those_that_the_metadata_declare(install, lines, licences):
    install("zz_made.Up", *lines, "Requires-Dist: numpy")
    assert found("zz_made.Up") == Distribution("zz_made.Up", "1.0", licences, ("numpy",))
    assert found("zz_made.Up").key == "zz-made-up"


def test_installed_names_each_distribution_once_and_passes_by_what_an_uninstall_left(install, tmp_path):
    install("numpy")
    (tmp_path / "broken-1.0.dist-info").mkdir()
    names = [item.key for item in installed()]
    assert names == sorted(set(names))
    everything = {
        item.metadata["Name"] for item in importlib.metadata.distributions() if "broken" not in str(item._path)
    }
    assert set(names) == {normalized(name) for name in everything}
    assert found("numpy").version == "1.0"  # the first on the path, which is the one that an import takes


def test_document_is_valid_and_holds_every_distribution_with_its_licence_and_what_it_requires(install):
    install(
        "zz-odd", "License: My own", "Requires-Dist: NumPy>=1", "Requires-Dist: rich; extra == 'x'", "Requires-Dist: ("
    )
    text = cyclonedx_json(installed())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    ours = document["metadata"]["component"]
    assert (ours["name"], ours["type"]) == ("crossnet-pipeline", "application")
    components = {item["name"]: item for item in document["components"]}
    assert {ours["name"], *components} == {item.name for item in installed()}
    assert components["zz-odd"]["licenses"] == [{"license": {"acknowledgement": "declared", "name": "My own"}}]
    assert components["numpy"]["purl"] == f"pkg:pypi/numpy@{importlib.metadata.version('numpy')}"
    needs = {item["ref"]: item.get("dependsOn", []) for item in document["dependencies"]}
    assert needs["pkg:pypi/zz-odd@1.0"] == [components["numpy"]["bom-ref"]]
    assert components["tensorflow"]["bom-ref"] in needs[ours["bom-ref"]]
    assert components["numpy"]["bom-ref"] in needs[components["tensorflow"]["bom-ref"]]


def test_document_needs_a_library_and_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(PipelineError, match=r"needs cyclonedx-python-lib, .* pip install 'crossnet-pipeline\[sbom\]'"):
        cyclonedx_json(installed())
