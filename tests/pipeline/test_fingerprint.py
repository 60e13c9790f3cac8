import os

import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.pipeline import fingerprint as fp


@pytest.fixture
def house(tmp_path, monkeypatch):
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
    monkeypatch.setattr(fp, "HOUSE", tmp_path)
    clear()
    yield package
    clear()


def clear():
    fp._imports.cache_clear()
    fp._source_digest.cache_clear()


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
def test_code_digests_find_an_import_however_it_is_written(house, source):
    (house / "a.py").write_text(source)
    assert "crossnet.components.b" in fp.code_digests("crossnet.components.a")


def test_code_digests_follow_imports_inside_the_project(house):
    assert list(fp.code_digests("crossnet.components.a")) == [
        "crossnet.components",
        "crossnet.components.a",
        "crossnet.components.b",
    ]


def test_code_digests_change_with_a_module_that_is_reached_and_with_no_other(house):
    before = fp.code_digests("crossnet.components.a")
    (house / "c.py").write_text("x = 1\n")
    clear()
    assert fp.code_digests("crossnet.components.a") == before
    (house / "b.py").write_text("def g(): return 2\n")
    clear()
    after = fp.code_digests("crossnet.components.a")
    assert [name for name in after if after[name] != before[name]] == ["crossnet.components.b"]


def test_code_digests_of_a_step_leave_the_other_steps_out():
    reached = fp.code_digests("crossnet.components.pusher")
    assert "crossnet.components.artifacts.pushed_model" in reached
    assert not any(
        name in reached
        for name in ("crossnet.components.trainer", "crossnet.components.evaluator", "crossnet.pipeline")
    )


def test_content_digest_ignores_size_and_time_but_not_a_byte(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n")
    before, times = fp.content_digest(file), (file.stat().st_atime, file.stat().st_mtime)
    os.utime(file, (0, 0))
    assert fp.content_digest(file) == before
    file.write_text("a,b\n2,1\n")
    os.utime(file, times)
    assert fp.content_digest(file) != before


def test_settings_text_leaves_out_where_data_is():
    here = fp.settings_text({"params": ExampleGenParams(input="/a/rows.csv")})
    there = fp.settings_text({"params": ExampleGenParams(input="/b/rows.csv")})
    assert here == there
    assert fp.settings_text({"params": TrainerParams(epochs=1)}) != fp.settings_text({"params": TrainerParams()})


@pytest.mark.parametrize("part", ["params", "inputs", "data", "code", "versions"])
def test_step_fingerprint_depends_on_every_part(part):
    parts = {name: {"x": 1} for name in ("params", "inputs", "data", "code", "versions")}
    assert fp.step_fingerprint(parts | {part: {"x": 2}}) != fp.step_fingerprint(parts)
    assert len(fp.step_fingerprint(parts)) == 16
