import http.server
import json
import threading
import uuid
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import load_config, make_config
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.tracking.lineage import Lineage, check_lineage

# What https://openlineage.io/spec/2-0-2/OpenLineage.json asks of a RunEvent, in words of our own.
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {name: {"type": "string", "pattern": "^https://"} for name in ("_producer", "_schemaURL")},
    },
}
DATASETS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "run": {"type": "object", "required": ["runId"], "properties": {"facets": FACETS}},
        "job": {"type": "object", "required": ["namespace", "name"], "properties": {"facets": FACETS}},
        "inputs": DATASETS,
        "outputs": DATASETS,
    },
}
SMALL = {"example_gen": {"num_examples": 200}, "models": ["dense"]}


def events(file):
    found = [json.loads(line) for line in file.read_text().splitlines()]
    for event in found:
        jsonschema.validate(event, RUN_EVENT)
        uuid.UUID(event["run"]["runId"])
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    return found


def test_each_step_of_a_run_starts_and_completes_with_its_data(tmp_path):
    file = tmp_path / "events.jsonl"
    config = make_config({**SMALL, "lineage": str(file)})
    result = run_pipeline(config, tmp_path / "root", until="statistics_gen")
    found = events(file)
    assert [(event["job"]["name"], event["eventType"]) for event in found] == [
        *(("crossnet.example_gen", "START"), ("crossnet.example_gen", "COMPLETE")),
        *(("crossnet.statistics_gen", "START"), ("crossnet.statistics_gen", "COMPLETE")),
    ]
    examples, statistics = (str(tmp_path / "root" / result.steps[step].artifact) for step in result.steps)
    assert [data["name"] for data in found[1]["outputs"]] == [examples]
    assert [data["name"] for data in found[3]["inputs"]] == [examples]
    assert [data["name"] for data in found[3]["outputs"]] == [statistics]
    assert found[0]["run"]["runId"] == found[1]["run"]["runId"] != found[3]["run"]["runId"]
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in found}
    assert len(parents) == 1
    run_pipeline(config, tmp_path / "root", until="statistics_gen")
    assert len(events(file)) == 4  # nothing ran: nothing is told


def test_a_step_that_fails_says_why_and_what_it_reads(tmp_path):
    (tmp_path / "rows.csv").write_text("a,y\n1,2\nx,3\n4,5\n")
    file = tmp_path / "events.jsonl"
    source = {"source": "csv", "input": str(tmp_path / "rows.csv"), "label": "z"}
    result = run_pipeline(make_config({"example_gen": source, "lineage": str(file)}), tmp_path / "root")
    assert result.exit_code
    start, fail = events(file)
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert [data["name"] for data in fail["inputs"]] == [str(tmp_path / "rows.csv")]
    assert fail["run"]["facets"]["errorMessage"]["message"] == result.error


def test_events_enter_no_fingerprint(tmp_path):
    first = run_pipeline(make_config(SMALL), tmp_path / "root", until="example_gen")
    second = make_config({**SMALL, "lineage": str(tmp_path / "events.jsonl")})
    assert run_pipeline(second, tmp_path / "root", until="example_gen").run == first.run


@pytest.fixture
def server():
    """An address that takes events, and what it has taken."""
    taken = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(201 if self.path == "/api/v1/lineage" else 503)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}", taken
        made.shutdown()
        thread.join()


def tell(target, *statuses):
    lineage = Lineage(target, "/kept", "one", "rides", {"trainer": [Path("/there/rows.csv")]})
    for status in statuses:
        lineage.tell("trainer", status, output=Path("/kept/artifacts/trainer/ab"), fingerprint="ab")
    return lineage


def test_events_go_to_an_address_with_the_key_of_the_environment(server, monkeypatch):
    address, taken = server
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    assert tell(f"{address}/api/v1/lineage", "running", "running", "ran").problem == ""
    assert [(path, key, event["eventType"]) for path, key, event in taken] == [
        ("/api/v1/lineage", "Bearer secret", "START"),
        ("/api/v1/lineage", "Bearer secret", "COMPLETE"),
    ]


def test_an_address_that_takes_no_events_is_asked_once_and_said(server):
    address, taken = server
    lineage = tell(f"{address}/other", "running", "ran")
    assert "OpenLineage events are missing from `trainer` on" in lineage.problem
    assert "did not take one" in lineage.problem
    assert len(taken) == 1


def test_a_file_that_cannot_be_written_is_a_warning_of_a_run_that_goes_on(tmp_path):
    config = make_config({**SMALL, "lineage": "/dev/full"})
    result = run_pipeline(config, tmp_path / "root", until="example_gen")
    assert result.exit_code == 0
    assert result.complete
    assert "`/dev/full` did not take one: No space left on device" in " ".join(result.warnings)


def test_what_is_skipped_is_not_told_and_what_is_interrupted_aborts(tmp_path):
    file = tmp_path / "events.jsonl"
    tell(str(file), "skipped", "running", "interrupted")
    assert [event["eventType"] for event in events(file)] == ["START", "ABORT"]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("ftp://there", r"`lineage` must be a file, or an address that begins with http://.* Received `ftp://there`"),
        ("http://", r"`lineage` must be a file, or an address"),
        ("/nothing/here/events.jsonl", r"must be a file in a folder that is there.* Make the folder, or name another"),
        ("/", r"`lineage` must be a file in a folder that is there"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_the_run(tmp_path, target, sentence):
    with pytest.raises(SettingsError, match=sentence):
        check_lineage(target)
    with pytest.raises(SettingsError, match=sentence):
        run_pipeline(make_config({"lineage": target}), tmp_path / "root")
    assert not (tmp_path / "root" / "runs").exists()


def test_a_relative_file_begins_in_the_configs_folder_and_an_address_stays(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('lineage = "events.jsonl"\n')
    assert load_config(file).lineage == str(tmp_path / "events.jsonl")
    assert load_config(file, ["lineage=https://there/api/v1/lineage"]).lineage == "https://there/api/v1/lineage"
