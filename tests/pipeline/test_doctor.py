import importlib.metadata
import re
import tomllib

from crossnet.pipeline import doctor
from support import REPOSITORY


def by_name():
    return {finding.name: finding for finding in doctor.examine()}


def test_doctor_finds_what_the_pipeline_needs():
    findings = by_name()
    assert findings["tensorflow"].state == importlib.metadata.version("tensorflow")
    assert all(findings[name].ok for name in ("python", "tf-keras", "tensorflow-recommenders", "grpcio"))


def test_doctor_looks_for_everything_that_the_package_asks_for():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {re.match(r"[\w-]+", wanted)[0] for wanted in project["dependencies"]} <= by_name().keys()


def test_doctor_names_the_command_that_mends_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "LIBRARIES", ("no-such-library",))
    finding = by_name()["no-such-library"]
    assert (finding.ok, finding.state) == (False, "missing")
    assert "make run" in finding.fix


def test_doctor_tells_optional_programs_from_required_ones(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    finding = by_name()["tensorflow_model_server"]
    assert finding.ok is None
    assert "embedded server" in finding.fix


def test_doctor_sees_that_keras_3_was_chosen(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    finding = by_name()["Keras 2 (TF_USE_LEGACY_KERAS)"]
    assert (finding.ok, finding.fix) == (False, "unset it")
