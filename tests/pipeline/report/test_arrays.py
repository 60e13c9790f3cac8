import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.records.dataset import read_columns
from crossnet.pipeline.report import arrays
from crossnet.pipeline.report.arrays import column_views, density, residual_bands, scored_rows
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import HOSTILE_VALUE, PUSHED, make_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(make_runs(tmp_path_factory), PUSHED)


def test_density_counts_pairs_in_cells_and_those_outside():
    labels, predictions = np.array([0, 1, 1, 0.5], np.float32), np.array([0, 1, 7, np.nan], np.float32)
    found = density(labels, predictions)
    assert found.counts.sum() == 2
    assert found.outside == 2
    assert (found.x_edges[0], found.x_edges[-1]) == pytest.approx((-0.05, 1.05))
    i, j = np.argwhere(found.counts)[1]
    assert found.x_edges[i] < 1 < found.x_edges[i + 1]
    assert found.y_edges[j] < 1 < found.y_edges[j + 1]


@pytest.mark.parametrize("labels", [[], [np.nan], [3.0, 3.0]])
def test_density_of_no_or_one_label_has_a_grid(labels):
    labels = np.array(labels, np.float32)
    found = density(labels, labels)
    assert found.counts.sum() == np.isfinite(labels).sum()
    assert (np.diff(found.x_edges) > 0).all()


def test_scored_rows_are_those_of_the_evaluator(run):
    scored = scored_rows(run.evaluation)
    assert scored.total == len(scored.labels) == run.evaluation.counts["rows"]
    errors = scored.predictions["cross_layer"].astype(np.float64) - scored.labels
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(run.evaluation.metrics["cross_layer"]["eval_rmse"])


def test_scored_rows_stop_at_the_first_many(run, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_EVAL_ROWS", 10)
    scored = scored_rows(run.evaluation)
    assert len(scored.labels) == len(scored.predictions["dense"]) == 10
    assert scored.total == run.evaluation.counts["rows"]


def test_scored_rows_are_none_where_the_evaluator_kept_none(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    assert scored_rows(Evaluation(tmp_path)) is None


def test_residual_bands_go_along_every_feature(run):
    examples = run.get(Examples, "example_gen")
    rows = examples.counts["eval"]
    x0 = np.concatenate([b["x0"].values for b in read_columns(examples, "eval", batch_size=1000, columns=["x0"])])
    bands = {band.name: band for band in residual_bands(examples, 2.0 * x0, ["x0", "zone"])}
    assert bands["x0"].names == ()
    assert (np.diff(bands["x0"].at) > 0).all()
    assert (bands["x0"].low <= bands["x0"].middle).all()
    assert (bands["x0"].middle <= bands["x0"].high).all()
    assert np.corrcoef(bands["x0"].at, bands["x0"].middle)[0, 1] > 0.99
    assert set(bands["zone"].names) == {"east", HOSTILE_VALUE, "a & b"}
    assert len(x0) == rows


def test_residual_bands_pass_over_residuals_that_are_not_finite(run):
    examples = run.get(Examples, "example_gen")
    (band,) = residual_bands(examples, np.full(examples.counts["eval"], np.nan), ["x0"])
    assert np.isnan(band.middle).all()


def test_residual_bands_stop_where_the_residuals_end(run):
    (band,) = residual_bands(run.get(Examples, "example_gen"), np.array([1.0, 2.0, 4.0]), ["zone"])
    assert len(band.names) <= 3
    assert band.low.min() >= 1


def test_column_views_tell_each_split_of_every_column(run):
    views = {view.name: view for view in column_views(run.get(Statistics, "statistics_gen"), ("train", "eval"))}
    assert set(views) == {"x0", "x1", "a_img_src_x_onerror_alert_1__", "zone", "y"}
    assert views["x0"].type == "float"
    assert views["x0"].splits["train"]["rows"] == run.get(Examples, "example_gen").counts["train"]
    assert 0 <= views["x0"].splits["eval"]["min"] < views["x0"].splits["eval"]["max"] <= np.float32(0.995)
    steps = views["x0"].numbers["train"]
    assert np.sum(steps.heights * np.diff(steps.edges)) == pytest.approx(1)
    assert sum(shares["train"] for _, shares in views["zone"].values) == pytest.approx(1)
    assert views["zone"].splits["train"]["unique"] == 3


def test_column_views_join_the_buckets_of_a_fine_histogram(tmp_path):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    proto = statistics_pb2.DatasetFeatureStatisticsList()
    feature = proto.datasets.add(num_examples=9).features.add()
    feature.path.step.append("x")
    histogram = feature.num_stats.histograms.add()
    for i in range(250):
        histogram.buckets.add(low_value=i, high_value=i + 1, sample_count=2)
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "Split-train" / "FeatureStats.pb").write_bytes(proto.SerializeToString())
    (view,) = column_views(Statistics(tmp_path), ["train"])
    steps = view.numbers["train"]
    assert len(steps.heights) == 84
    assert (steps.edges[0], steps.edges[-1]) == (0, 250)
    assert steps.heights == pytest.approx(np.full(84, 1 / 250))
