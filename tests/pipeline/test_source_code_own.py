import sys

import pytest

from crossnet.pipeline.source_code import changed_code, code_digests, folder_of, forget, is_ours, source_file


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's package `mine` of three modules, a module beside it, and `other`, which nothing imports."""
    package = tmp_path / "mine" / "deep"
    package.mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "kinds.py").write_text(
        "import numpy\nimport beside\nfrom crossnet.components.params.setting import setting\n\n\n"
        "def f():\n    from .deep import layers\n    from . import words\n"
    )
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text("from ..words import WORDS\n")
    (tmp_path / "mine" / "words.py").write_text("WORDS = 1\n")
    (tmp_path / "mine" / "other.py").write_text("")
    (tmp_path / "beside.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])  # before what another test has left there
    forget(ours=False)
    yield tmp_path
    monkeypatch.undo()
    forget(ours=False)


def test_a_users_module_reaches_its_project_and_what_it_takes_from_this_package(project):
    reached = code_digests("mine.kinds")
    assert {"mine", "mine.kinds", "mine.deep", "mine.deep.layers", "mine.words", "beside"} <= reached.keys()
    assert "crossnet.components.params.setting" in reached
    assert not [name for name in reached if name.startswith("numpy") or name == "mine.other"]
    assert "mine.kinds" not in sys.modules  # read, not imported


def test_an_installed_package_reaches_nothing_of_the_others_beside_it():
    reached = code_digests("pytest")
    assert {name.partition(".")[0] for name in reached} == {"pytest"}


def test_changed_code_names_the_users_module_that_was_edited(project):
    code_digests("mine.kinds")
    assert changed_code("mine.kinds") == []
    (project / "mine" / "words.py").write_text("WORDS = 2\n")
    assert changed_code("mine.kinds") == ["mine.words"]
    ours = code_digests("crossnet.components.pusher")
    forget(ours=False)
    assert changed_code("mine.kinds") == []
    assert code_digests("crossnet.components.pusher") == ours


def test_files_of_users_modules_are_found_as_python_finds_them(project):
    assert source_file("mine.kinds") == project / "mine" / "kinds.py"
    assert source_file("mine") == project / "mine" / "__init__.py"
    assert source_file("mine.nothing") is None
    assert source_file("nothing_like_it") is None
    assert folder_of("mine") == project
    assert folder_of("nothing_like_it") is None
    assert is_ours("crossnet.pipeline")
    assert not is_ours("crossnetted")
