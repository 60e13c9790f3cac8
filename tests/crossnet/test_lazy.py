import sys

import pytest

INIT = """
from crossnet.lazy import lazy_names
present = 1
__getattr__, __dir__ = lazy_names(__name__, {"first": "toy_package.one", "second": "toy_package.two"})
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package with two lazy names, of which the second one's module fails."""
    folder = tmp_path / "toy_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(INIT)
    (folder / "one.py").write_text("first = object()\n")
    (folder / "two.py").write_text("raise ModuleNotFoundError('no module named grpc')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import toy_package

    yield toy_package
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_package"]:
        del sys.modules[name]


def test_module_is_imported_at_the_first_use_of_its_name(toy):
    assert "toy_package.one" not in sys.modules
    assert toy.first is sys.modules["toy_package.one"].first


def test_name_is_looked_up_once(toy):
    first = toy.first
    del sys.modules["toy_package.one"].first
    assert toy.first is first


def test_names_are_listed_without_being_imported(toy):
    assert {"first", "second", "present"} <= set(dir(toy))
    assert dir(toy) == sorted(dir(toy))
    assert "toy_package.one" not in sys.modules


def test_error_of_the_module_itself_is_shown(toy):
    with pytest.raises(ModuleNotFoundError, match="no module named grpc"):
        toy.second  # noqa: B018


def test_unknown_name_is_refused_with_the_names_that_exist(toy):
    with pytest.raises(
        AttributeError, match=r"Module `toy_package` has no attribute `third`\. It has: first, second\."
    ):
        toy.third  # noqa: B018
