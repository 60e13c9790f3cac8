import importlib.util

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import make_config
from crossnet.pipeline.runner import run_pipeline


def test_a_run_that_is_to_be_tracked_and_has_no_store_ends_before_its_first_step(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SettingsError, match=r"`tracking` is mlflow, and there is no store: set `tracking_uri`"):
        run_pipeline(make_config({"tracking": "mlflow"}), tmp_path / "root")
    assert not [*(tmp_path / "root").glob("*/*")]


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="the extra mlflow is installed")
def test_a_run_that_is_to_be_tracked_without_the_library_says_what_to_install(tmp_path):
    config = make_config({"tracking": "mlflow", "tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"})
    with pytest.raises(SettingsError, match=r'pip install "crossnet-pipeline\[mlflow\]", or set `tracking` to none'):
        run_pipeline(config, tmp_path / "root")
