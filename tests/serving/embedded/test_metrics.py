"""What Prometheus reads, parsed with prometheus-client's own parser."""

from __future__ import annotations

import json
import re
import threading
import urllib.request

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.current_call import CALL
from crossnet.serving.embedded.metrics import LATENCY, CallTimes, Histogram, Metrics
from crossnet.serving.server import Server
from crossnet.serving.status import ServingError
from support import REPOSITORY
from support.serving_fixtures import failure, predict_request, stubs_on
from support.serving_models import save_model

DASHBOARD = REPOSITORY / "serving" / "deploy" / "config" / "grafana" / "serving.json"
SERVING = ":tensorflow:serving:"


def _samples(text):
    """Sample name -> labels as a frozen set -> value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def _monitoring(folder, text='prometheus_config { enable: true path: "/numbers" }'):
    path = folder / "monitoring.config"
    path.write_text(text)
    return str(path)


def labels(**given):
    return frozenset(given.items())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    save_model(folder / "demo" / "3", warmup=[])
    flags = ServerFlags(
        port=0,
        model_name="demo",
        model_base_path=str(folder / "demo"),
        monitoring_config_file=_monitoring(folder),
        request_log_dir=str(folder / "log"),
    )
    with Server(flags, rest=True) as running:
        yield running


@pytest.fixture
def scrape(server):
    def read():
        with urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/numbers", timeout=20) as answer:
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            return answer.read().decode()

    return read


@pytest.fixture
def counted(server, scrape):
    """Does the calls of a test, and returns by how much each sample grew."""

    def grown(work):
        before = _samples(scrape())
        with stubs_on(f"127.0.0.1:{server.port}") as stubs:
            work(stubs)
        after = _samples(scrape())
        return {
            name: {key: value - before.get(name, {}).get(key, 0) for key, value in found.items()}
            for name, found in after.items()
        }

    return grown


def _post(server, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{server.rest_port}{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_metrics_count_calls_as_the_real_server_names_them(server, counted):
    good, bad = predict_request(x0=[1.0], x1=[2.0]), predict_request(x0=[1.0], x1=[2.0], signature="no such")

    def work(stubs):
        for _ in range(3):
            stubs.predict(good)
        assert failure(stubs.predict, bad)[0] is grpc.StatusCode.FAILED_PRECONDITION
        assert _post(server, "/v1/models/demo:predict", {"instances": [{"x0": 1, "x1": 2}]}) == {"predictions": [3.0]}

    found = counted(work)
    assert found[f"{SERVING}request_count_total"] == {  # the parser appends _total, see the test below
        labels(model_name="demo", status="OK"): 4,
        labels(model_name="demo", status="FAILED_PRECONDITION"): 1,
    }
    over_grpc = labels(model_name="demo", API="Predict", entrypoint="GRPC")
    over_rest = labels(model_name="demo", API="predict", entrypoint="REST")
    assert found[f"{SERVING}request_latency_count"] == {over_grpc: 3, over_rest: 1}
    assert found[f"{SERVING}runtime_latency_count"][labels(model_name="demo", API="Predict", runtime="TF1")] == 3
    micros = found[f"{SERVING}request_latency_sum"]
    assert found[f"{SERVING}runtime_latency_sum"][labels(model_name="demo", API="Predict", runtime="TF1")] > 3 * 10
    assert (
        found[f"{SERVING}runtime_latency_sum"][labels(model_name="demo", API="Predict", runtime="TF1")]
        < micros[over_grpc]
        < 60e6
    )
    fine = found[":crossnet:serving:request_latency_count"]
    call = {"model_name": "demo", "version": "3", "API": "Predict", "entrypoint": "GRPC"}
    assert fine[labels(**call, signature="serving_default", status="OK")] == 3
    assert fine[labels(**call, signature="", status="FAILED_PRECONDITION")] == 1  # clients' words are not labels


def test_names_that_are_not_configured_share_one_series(counted):
    def work(stubs):
        for name in ("a", "b"):
            assert failure(stubs.predict, predict_request(name, x0=[1.0]))[0] is grpc.StatusCode.NOT_FOUND

    found = counted(work)[f"{SERVING}request_count_total"]
    assert found[labels(model_name="(unknown)", status="NOT_FOUND")] == 2


def test_metrics_tell_of_loads_the_log_and_the_process(server, scrape):
    text = scrape()
    assert f"# TYPE {SERVING}request_count counter\n" in text  # no `_total`: the real server's own name
    assert ":tensorflow:cc:saved_model:load_attempt_count{model_path=" in text
    found = _samples(text)
    (path,) = {dict(key)["model_path"] for key in found[":tensorflow:cc:saved_model:load_latency_total"]}
    assert path.endswith("/demo/3")
    assert found[":tensorflow:cc:saved_model:load_attempt_count_total"] == {
        labels(model_path=path, status="success"): 1
    }
    assert found[":tensorflow:cc:saved_model:load_latency_total"][labels(model_path=path)] > 1000
    assert labels(result="dropped") in found[":crossnet:serving:request_log_count_total"]
    assert found["process_resident_memory_bytes"][frozenset()] > 1e6


def test_the_path_without_metrics_is_not_found(server):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics", timeout=20)
    assert error.value.code == 404
    error.value.close()


def test_the_dashboard_names_only_metrics_that_are_exported(scrape):
    heads = [line.split()[2:] for line in scrape().splitlines() if line.startswith("# TYPE")]
    names = {name for name, kind in heads if kind != "histogram"}
    names |= {f"{name}_{part}" for name, kind in heads if kind == "histogram" for part in ("bucket", "sum", "count")}
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for text in expressions for name in re.findall(r":[\w:]+|process_\w+", text)}
    assert len(named) >= 6
    assert named <= names


@pytest.mark.parametrize(
    ("text", "flags", "sentence"),
    [
        ("prometheus_config { enable: true }", {}, "turns metrics on, which the REST port shows, and there is none"),
        ("prometheus_config { enabled: true }", {"rest": True}, "Error parsing text-format .* no field named .enabled"),
        ('prometheus_config { enable: true path: "x" }', {"rest": True}, "the path of `prometheus_config` is x"),
        ('prometheus_config { enable: true path: "/v1/models/x" }', {"rest": True}, "is not below `/v1/`"),
    ],
)
def test_monitoring_that_cannot_work_is_refused_at_start(tmp_path, text, flags, sentence):
    settings = ServerFlags(port=0, model_base_path=str(tmp_path), monitoring_config_file=_monitoring(tmp_path, text))
    with pytest.raises(ServingError, match=f"Failed to start server. Error: INVALID_ARGUMENT: .*{sentence}"):
        Server(settings, **flags).start()


def test_monitoring_that_is_off_needs_no_rest_port(tmp_path):
    settings = ServerFlags(
        port=0,
        model_base_path=str(tmp_path),
        monitoring_config_file=_monitoring(tmp_path, "prometheus_config { enable: false }"),
    )
    server = Server(settings)
    server.ask_to_stop()
    server.start()
    server.stop()


def test_histogram_puts_a_value_at_a_limit_below_it():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.add(value)
    assert list(histogram.buckets()) == [("1", 2), ("2", 3), ("+Inf", 4)]
    assert histogram.total == 12.0


def test_latencies_have_the_real_servers_buckets():
    words = [limit for limit, _ in Histogram(LATENCY).buckets()]
    assert (len(words), words[0], words[5], words[-2:]) == (34, "10", "188.957", ["1.47476e+09", "+Inf"])


def test_metrics_lose_no_call_of_several_threads():
    metrics = Metrics("/numbers", lambda name: True)

    def work():
        for _ in range(500):
            CALL.begin()
            CALL.name = "demo"
            CALL.version = "1"
            metrics.add_call("Predict", "GRPC", "OK")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert f'{SERVING}request_count{{model_name="demo",status="OK"}} 2000.0\n' in metrics.page()
    assert metrics.page().count(f"# TYPE {SERVING}request_latency histogram") == 1


def test_times_are_counted_when_there_are_many_and_when_they_are_read():
    metrics = Metrics("/numbers", lambda name: True)
    CALL.begin()
    CALL.name, CALL.version = "demo", "1"
    for _ in range(1500):  # 1,024 of them are counted on the way
        metrics.add_call("Predict", "GRPC", "OK")
    (times,) = metrics._calls.values()
    assert sum(times.calls.counts) == sum(times.runs.counts) == 1024
    found = _samples(metrics.page())
    assert found[f"{SERVING}request_latency_count"][labels(model_name="demo", API="Predict", entrypoint="GRPC")] == 1500
    assert found[f"{SERVING}runtime_latency_count"][labels(model_name="demo", API="Predict", runtime="TF1")] == 1500


def test_many_values_are_counted_as_one_by_one():
    values = np.array([0.0, 9.9, 10.0, 10.1, 188.0, 1e12, *(10 * 1.8**power for power in range(33))])
    one_by_one, together = Histogram(LATENCY), Histogram(LATENCY)
    for value in values:
        one_by_one.add(value)
    together.add_all(values[:20])
    together.add_all(values[20:])
    assert together.counts == one_by_one.counts
    assert together.total == pytest.approx(one_by_one.total)


def test_call_times_are_microseconds():
    times = CallTimes()
    times.note((0.5, 0.25))
    times.count()
    assert (times.calls.total, times.runs.total) == (0.5e6, 0.25e6)
    times.count()
    assert (sum(times.calls.counts), sum(times.runs.counts)) == (1, 1)
