import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import make_config
from crossnet.pipeline.runner import run_pipeline

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow has an environment of its own: make scale")

SMALL = {
    "tracking": "mlflow",
    "models": ["cross_layer", "dense"],
    "example_gen": {"num_examples": 400},
    "trainer": {"epochs": 1, "batch_size": 50},
    "evaluator": {"max_rmse": 99, "max_mean_ratio": "none", "max_linear_ratio": "none", "min_improvement": "none"},
}
# What MLflow and its database say while they work is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


def runs(uri):
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("crossnet")
    return client, client.search_runs([experiment.experiment_id])


def test_a_run_is_logged_with_settings_metrics_report_and_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where MLflow keeps files beside a database
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    result = run_pipeline(make_config({**SMALL, "tracking_uri": uri}), tmp_path / "root")
    assert (result.error, [said for said in result.warnings if "MLflow" in said]) == (None, [])
    client, (run,) = runs(uri)
    assert (run.info.run_name, run.info.status) == (result.run, "FINISHED")
    assert run.data.params["trainer.epochs"] == "1"
    assert "tracking_uri" not in run.data.params  # it may hold a password
    assert run.data.metrics["dense.eval_rmse"] == pytest.approx(result.models["dense"]["eval_rmse"])
    assert run.data.tags["crossnet.verdict"] == "BLESSED"
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "config.toml", "run.json", "model"} <= names
    assert "model/saved_model.pb" in {file.path for file in client.list_artifacts(run.info.run_id, "model")}

    again = run_pipeline(make_config({**SMALL, "tracking_uri": uri}), tmp_path / "root")
    assert again.up_to_date
    assert len(runs(uri)[1]) == 1  # a run that repeats another is not logged again
    failed = {**SMALL, "tracking_uri": uri, "evaluator": {"max_rmse": 1e-9}}
    assert run_pipeline(make_config(failed), tmp_path / "root").exit_code == 3
    newest = runs(uri)[1][0]
    assert newest.data.tags["crossnet.verdict"] == "NOT_BLESSED"
    assert "model" not in {file.path for file in client.list_artifacts(newest.info.run_id)}


@pytest.mark.parametrize("uri", ["nothing://there", "sqlite:////dev/null/mlflow.db", "http://127.0.0.1:9"])
def test_a_store_that_cannot_be_used_ends_the_run_before_its_first_step(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(SettingsError, match=r"`tracking_uri` names a store that cannot be used: .* Name another"):
        run_pipeline(make_config({**SMALL, "tracking_uri": uri}), tmp_path / "root")
    assert not [*(tmp_path / "root").glob("*/*")]


def test_a_store_that_fails_later_is_a_warning_of_a_run_that_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    config = make_config({**SMALL, "tracking_uri": uri})

    def breaks(*arguments, **options):
        (tmp_path / "mlflow.db").write_bytes(b"no database any more")

    from crossnet.pipeline import execution

    monkeypatch.setattr(execution, "load_component", breaks)  # in the midst of the run
    result = run_pipeline(config, tmp_path / "root", until="example_gen")
    assert result.exit_code == 0
    assert "The run is not, or not wholly, in MLflow" in " ".join(result.warnings)
