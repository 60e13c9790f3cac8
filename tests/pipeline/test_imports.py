import gc
import sys

import pytest

from crossnet.pipeline import imports, threads

SOURCE = "import gc, sys\nlooks = gc.isenabled()\n"


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Two modules, of which one brings a TensorFlow that this process has not."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "plain_step.py").write_text(SOURCE)
    (tmp_path / "network_step.py").write_text(f"{SOURCE}sys.modules['tensorflow'] = sys\n")
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    gc.unfreeze()  # Python 3.12 begins with some objects set aside
    yield "plain_step", "network_step"
    gc.unfreeze()
    for name in ("plain_step", "network_step", "tensorflow"):
        sys.modules.pop(name, None)


def test_a_command_looks_for_no_garbage_while_it_imports_a_step(modules, monkeypatch):
    monkeypatch.setattr(threads, "_own_process", True)
    plain, network = modules
    assert not imports.import_module(plain).looks
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert not imports.import_module(network).looks
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    gc.unfreeze()
    assert imports.import_module(network) is sys.modules[network]
    assert gc.get_freeze_count() == 0  # networks may have been trained meanwhile
    with pytest.raises(ModuleNotFoundError):
        imports.import_module("nowhere_step")
    assert gc.isenabled()


def test_in_a_process_of_somebody_else_python_collects_as_ever(modules):
    assert all(imports.import_module(name).looks for name in modules)
    assert gc.get_freeze_count() == 0
