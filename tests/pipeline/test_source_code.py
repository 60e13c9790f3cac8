import json
import re
import shutil

import pytest

from crossnet.pipeline import source_code
from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.source_code import code_digests, forget, parse_source
from support import REPOSITORY
from support.limits import files_of_at_most


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of three modules: `a` imports `b` inside a function; `c` stands alone."""
    package = tmp_path / "crossnet" / "components"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    lines = [
        "import os",
        "try:",
        " pass",
        "except OSError:",
        " def f():",
        "  with x:",
        "   from crossnet.components.b import g",
    ]
    (package / "a.py").write_text("\n".join(lines))
    (package / "b.py").write_text("def g(): return 1\n")
    (package / "c.py").write_text("")
    monkeypatch.setattr(source_code, "PROJECT", tmp_path)
    monkeypatch.setattr(source_code, "_CACHE", source_code._Cache(tmp_path / "cache" / "sources.json"))
    forget()
    yield package
    forget()


@pytest.mark.parametrize(
    "source",
    [
        "from crossnet.components import (  # why\n    b,\n)",
        "x = 1; from crossnet.components.b import g",
        "if True: import crossnet.components.b",
        "from crossnet.components \\\n    import b",
        '"""Says import."""\nimport os, crossnet.components.b as c',
        "    \nclass A:\n    import crossnet.components.b",
        "async def f():\n\tfrom crossnet.components.b import *",
    ],
)
def test_code_digests_find_an_import_however_it_is_written(project, source):
    (project / "a.py").write_text(source)
    assert "crossnet.components.b" in code_digests("crossnet.components.a")


def test_code_digests_follow_imports_inside_the_project(project):
    assert list(code_digests("crossnet.components.a")) == [
        "crossnet.components",
        "crossnet.components.a",
        "crossnet.components.b",
    ]


def test_code_digests_change_with_a_module_that_is_reached_and_with_no_other(project):
    before = code_digests("crossnet.components.a")
    (project / "c.py").write_text("x = 1\n")
    forget()
    assert code_digests("crossnet.components.a") == before
    (project / "b.py").write_text("def g(): return 2\n")
    forget()
    after = code_digests("crossnet.components.a")
    assert [name for name in after if after[name] != before[name]] == ["crossnet.components.b"]


def test_code_digests_of_a_step_leave_the_other_steps_out():
    reached = code_digests("crossnet.components.pusher")
    assert {"crossnet.components.artifacts.pushed_model", "crossnet.components.params.pusher"} <= reached.keys()
    others = ("trainer", "evaluator", "params.trainer", "params.evaluator", "artifacts.statistics")
    assert not {f"crossnet.components.{name}" for name in others} & reached.keys()
    assert not {name for name in reached if name.startswith("crossnet.pipeline")}


CODE = """
from crossnet.components.params.setting import setting

class Params:
    size: int = setting(1, "rows", least=1)

def f(x):
    return x + 1
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x + 1", "return x + 1  # why"),
        ("return x + 1", "return (\n        x + 1\n    )"),
        ("def f(x):\n", 'def f(x):\n    """Adds one."""\n'),
        ("class Params:\n", 'class Params:\n    """Sizes."""\n\n'),
        ("\nfrom", '\n"""A module."""\n\nfrom'),
        ('"rows"', '"rows in a batch"'),
        ('"rows", least', 'doc="rows in a batch", least'),
    ],
)
def test_comments_docstrings_and_help_texts_are_not_in_the_digest(old, new):
    changed = CODE.replace(old, new, 1)
    assert changed != CODE
    assert parse_source(changed.encode()) == parse_source(CODE.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("setting(1", "setting(2"),
        ("least=1", "least=2"),
        ("x + 1", "x + 2"),
        ("x + 1", "'x' + 'a text that is not a docstring'"),
        ("return x + 1", "x = 'first'\n    return x + 1"),
        ('"rows"', 'name("rows")'),
        ("from crossnet", "from  crossnet.components import artifacts\nfrom crossnet"),
    ],
)
def test_whatever_else_changes_is_in_the_digest(old, new):
    changed = CODE.replace(old, new, 1)
    assert changed != CODE
    assert parse_source(changed.encode()).digest != parse_source(CODE.encode()).digest


def test_a_help_text_that_is_computed_counts_as_code():
    computed = [f'a = setting(1, "rows" + {text!r})'.encode() for text in ("a", "b")]
    assert parse_source(computed[0]).digest != parse_source(computed[1]).digest


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The whole project, to be edited, and the function that returns each step's digests."""
    for folder in ("crossnet", "components", "serving", "pipeline"):
        shutil.copytree(
            REPOSITORY / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    monkeypatch.setattr(source_code, "PROJECT", tmp_path)
    forget()
    steps = {step.name: step.function.partition(":")[0] for step in build_graph(Config())}

    def digests():
        forget()
        return {name: code_digests(module) for name, module in steps.items()}

    yield tmp_path, digests
    forget()


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_a_reworded_help_text_runs_no_step_again(copy):
    folder, digests = copy
    before = digests()
    for file in (folder / "components" / "params").glob("*.py"):
        file.write_text(re.sub(r'(setting\(\s*(?:"[^"\n]*"|[^"\n,()]+),\s+")', r"\1Really: ", file.read_text()))
    assert "Really: " in (folder / "components/params/pusher.py").read_text()
    assert digests() == before


def test_a_new_setting_runs_its_own_step_again_and_no_other(copy):
    folder, digests = copy
    before = digests()
    edit(
        folder / "components/params/pusher.py",
        "    model_name: str",
        '    retries: int = setting(3, "x")\n    model_name: str',
    )
    after = digests()
    assert [name for name in before if after[name] != before[name]] == ["pusher"]
    edit(folder / "components/params/evaluator.py", "least=100)", "least=99)")
    assert [name for name in before if digests()[name] != after[name]] == ["evaluator"]


def test_a_changed_artifact_type_runs_the_steps_again_that_use_it(copy):
    folder, digests = copy
    before = digests()
    edit(folder / "components/artifacts/pushed_model.py", "version {self.version}", "the version {self.version}")
    assert [name for name in before if digests()[name] != before[name]] == ["pusher"]


def test_what_was_parsed_is_read_from_the_cache_and_a_spoilt_cache_is_ignored(project, monkeypatch, tmp_path):
    file = tmp_path / "cache" / "sources.json"
    expected = code_digests("crossnet.components.a")
    assert len(json.loads(file.read_text())["sources"]) == 3

    def again():
        forget()
        monkeypatch.setattr(source_code, "_CACHE", source_code._Cache(file))
        return code_digests("crossnet.components.a")

    with monkeypatch.context() as patch:
        patch.setattr(source_code, "parse_source", None)  # not called
        assert again() == expected
    for spoilt in ("", "{", "[]", '{"parser": "another", "sources": {}}', '{"parser": 1}'):
        file.write_text(spoilt)
        assert again() == expected


def test_the_cache_is_begun_anew_when_it_has_grown(project, monkeypatch, tmp_path):
    monkeypatch.setattr(source_code, "MAX_CACHED", 3)
    code_digests("crossnet.components.a")
    (project / "b.py").write_text("def g(): return 2\n")
    forget()
    code_digests("crossnet.components.a")
    assert len(json.loads((tmp_path / "cache" / "sources.json").read_text())["sources"]) == 4
    monkeypatch.setattr(source_code, "_CACHE", source_code._Cache(tmp_path / "cache" / "sources.json"))
    (project / "b.py").write_text("def g(): return 3\n")
    forget()
    code_digests("crossnet.components.a")
    assert len(json.loads((tmp_path / "cache" / "sources.json").read_text())["sources"]) == 3


def test_a_cache_that_cannot_be_written_changes_nothing(project, monkeypatch, tmp_path):
    expected = code_digests("crossnet.components.a")
    (tmp_path / "file").touch()
    forget()
    monkeypatch.setattr(source_code, "_CACHE", source_code._Cache(tmp_path / "file" / "sources.json"))
    assert code_digests("crossnet.components.a") == expected


def test_a_cache_that_does_not_fit_changes_nothing_and_leaves_no_half(project, monkeypatch, tmp_path):
    expected = code_digests("crossnet.components.a")
    forget()
    monkeypatch.setattr(source_code, "_CACHE", source_code._Cache(tmp_path / "full" / "sources.json"))
    with files_of_at_most(10):
        assert code_digests("crossnet.components.a") == expected
    assert list((tmp_path / "full").iterdir()) == []
