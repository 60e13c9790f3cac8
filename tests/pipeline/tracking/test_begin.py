import importlib.util

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import make_config
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.tracking.lineage import Lineage, check_lineage, without_password


def test_a_run_that_is_to_be_tracked_and_has_no_store_ends_before_its_first_step(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SettingsError, match=r"`tracking` is mlflow, and a store is not named: set `tracking_uri`"):
        run_pipeline(make_config({"tracking": "mlflow"}), tmp_path / "root")
    assert not [*(tmp_path / "root").glob("*/*")]


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="the extra mlflow is installed")
def test_a_run_that_is_to_be_tracked_without_the_library_says_what_to_install(tmp_path):
    config = make_config({"tracking": "mlflow", "tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"})
    with pytest.raises(SettingsError, match=r'pip install "crossnet-pipeline\[mlflow\]", or set `tracking` to none'):
        run_pipeline(config, tmp_path / "root")


def test_no_message_shows_the_password_of_an_address(tmp_path):
    assert without_password("postgresql://ada:secret@there/db") == "postgresql://...@there/db"
    assert without_password("sqlite:///mlflow.db") == "sqlite:///mlflow.db"
    with pytest.raises(SettingsError) as caught:
        check_lineage("ftp://ada:secret@there")
    assert "secret" not in str(caught.value)
    lineage = Lineage("http://ada:secret@127.0.0.1:9/events", str(tmp_path), "one", "rides", {})
    lineage.tell("trainer", "running", output=tmp_path, fingerprint="ab")
    assert "http://...@127.0.0.1:9/events" in lineage.problem
    assert "secret" not in lineage.problem
