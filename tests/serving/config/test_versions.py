"""Tests version folders, policies, and the lists of models in a config."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2

from crossnet.serving.config.messages import model_server_config
from crossnet.serving.config.versions import (
    ModelConfig,
    VersionPolicy,
    list_versions,
    model_configs,
    place_of,
    requested,
    why_nothing_to_serve,
)
from crossnet.serving.status import ServingError


def put(base, version, *marks):
    folder = base / f".tmp-{version}"
    folder.mkdir(parents=True)
    for mark in ("saved_model.pb", *marks):
        (folder / mark).touch()
    folder.rename(base / str(version))


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "rides"
    folder.mkdir()
    return folder


def test_list_versions_takes_integers_with_a_model_in_them(base):
    put(base, "00000123")
    put(base, 7)
    for name in ("7.rolled_back", "v8", ".tmp-9", "１２"):
        (base / name).mkdir()
        (base / name / "saved_model.pb").touch()
    (base / "10").mkdir()  # half-written: its saved_model.pb comes last
    (base / "11").touch()
    (base / ("9" * 30)).mkdir()
    (base / ("9" * 30) / "saved_model.pb").touch()
    assert sorted(list_versions(base)) == [7, 123]
    assert list_versions(base / "nope") is None


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        (VersionPolicy(), [3]),
        (VersionPolicy("latest", num_versions=2), [2, 3]),
        (VersionPolicy("all"), [1, 2, 3]),
        (VersionPolicy("specific", versions=(1, 9)), [1]),
    ],
)
def test_policy_chooses_versions(tmp_path, policy, chosen):
    assert sorted(policy.choose(dict.fromkeys((1, 2, 3), tmp_path))) == chosen


def test_version_that_cannot_be_read_does_not_hide_the_others(base, monkeypatch):
    put(base, 1)
    put(base, 2)
    real = Path.is_file

    def is_file(path):
        if path.parent.name == "2":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    assert list_versions(base) == {1: base / "1"}


def test_version_that_cannot_be_looked_at_for_a_moment_does_not_make_the_others_all_there_is(base, monkeypatch):
    put(base, 1)
    put(base, 2)
    monkeypatch.setattr(Path, "is_file", lambda path: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
    assert list_versions(base) is None  # what is loaded stays


def models_of(text):
    return model_configs(text_format.Parse(text, model_server_config()).model_config_list)


def test_model_configs_reads_platform_policy_and_labels_of_each_model():
    configs = models_of(
        """model_config_list {
             config { name: "a" base_path: "/m/a" model_platform: "tensorflow" }
             config { name: "b" base_path: "/m/b" model_type: TENSORFLOW model_version_policy { latest { } } }
             config { name: "c" base_path: "/m/c" model_platform: "tensorflow"
                      model_version_policy { specific { versions: 2 versions: 1 } }
                      version_labels { key: "stable" value: 1 } }
             config { name: "d" base_path: "/m/d" model_platform: "other" model_version_policy { all { } } }
             config { name: "e" base_path: "/m/e" model_platform: "tensorflow"
                      model_version_policy { latest { num_versions: 3 } } }
           }"""
    )
    assert configs == [
        ModelConfig("a", Path("/m/a")),
        ModelConfig("b", Path("/m/b"), "tensorflow", VersionPolicy("latest", 1)),
        ModelConfig("c", Path("/m/c"), "tensorflow", VersionPolicy("specific", versions=(2, 1)), labels={"stable": 1}),
        ModelConfig("d", Path("/m/d"), "other", VersionPolicy("all")),
        ModelConfig("e", Path("/m/e"), "tensorflow", VersionPolicy("latest", 3)),
    ]


def test_base_path_may_be_written_as_a_uri_of_a_file():
    assert place_of("a", "file:///m/a") == (Path("/m/a"), "")
    assert place_of("a", "m/a") == (Path("m/a"), "")


def test_base_path_may_be_in_a_store(base):
    uri = "s3://bucket/m?region=eu-central-1"
    assert place_of("a", uri) == (Path(), uri)
    entry = f'config {{ name: "a" base_path: "{uri}" model_platform: "tensorflow" }}'
    assert models_of(f"model_config_list {{ {entry} }}") == [ModelConfig("a", Path(), source=uri)]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ('base_path: "m"', r"Expected model a to have an absolute path or URI; got base_path\(\)=m"),
        ('base_path: "ftp://m"', "`ftp://m` cannot be read: Unrecognized filesystem type in URI"),
        ('base_path: "gs://m?colour=red"', "`gs://m` cannot be read: Unexpected query parameter in GCS URI: 'colour'"),
        ('base_path: "file://m"', "`file://m` cannot be read: File URI cannot be relative"),
        ('base_path: "/m" model_platform: ""', "Illegal setting neither ModelServerConfig::model_type"),
        ('base_path: "/m" model_type: TENSORFLOW', "Illegal setting both ModelServerConfig::model_type"),
        ('base_path: "/m" model_platform: "" model_type: OTHER', "model_type choice 2 not supported"),
        (
            'base_path: "/m" logging_config { sampling_config { sampling_rate: 1 } }',
            "No request-logger-creator provided",
        ),
        (r'base_path: "/a\000b"', "Model a has a base path with a NUL byte"),
        ('base_path: "/m" model_version_policy { specific { } }', "version policy `specific` names no versions"),
    ],
)
def test_model_configs_refuses_what_cannot_be_served(tmp_path, entry, sentence):
    platform = "" if "model_platform" in entry else 'model_platform: "tensorflow"'
    with pytest.raises(ServingError, match=sentence):
        models_of(f'model_config_list {{ config {{ name: "a" {platform} {entry} }} }}')


def test_model_configs_refuses_a_name_that_is_listed_twice():
    entry = 'config { name: "a" base_path: "/m" model_platform: "tensorflow" } '
    with pytest.raises(ServingError, match="^Illegal to list model a multiple times in config list$") as error:
        models_of(f"model_config_list {{ {entry * 2} }}")
    assert error.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_why_nothing_to_serve_tells_the_cases_apart(base):
    assert why_nothing_to_serve(base, list_versions(base)) == (
        f"`{base}` has no version to serve. Expected a folder whose name is an integer, with a saved_model.pb."
    )
    (base / "file").touch()
    assert why_nothing_to_serve(base / "file", None) == (
        f"`{base}/file` is not a readable folder. Loaded versions are still served, and the server looks again."
    )
    assert why_nothing_to_serve(base / "nope", list_versions(base / "nope")) == (
        f"`{base}/nope` does not exist. Loaded versions are still served, and the server looks again."
    )


def test_a_base_path_that_goes_while_it_is_read_is_not_empty(base, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", lambda path: path.rmdir() or iter(()))
    assert list_versions(base) is None


@pytest.mark.parametrize("file", ["saved_model.pb", "saved_model.pbtxt"])
def test_a_version_has_its_model_in_either_format(base, file):
    (base / "1").mkdir()
    assert list_versions(base) == {}
    (base / "1" / file).touch()
    assert list_versions(base) == {1: base / "1"}


def test_the_largest_version_is_int64s(base):
    put(base, 2**63 - 1)
    put(base, 2**63)
    assert list(list_versions(base)) == [2**63 - 1]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("rides", None, "")),
        ({"version": {"value": 0}}, ("rides", 0, "")),
        ({"version": {"value": 7}}, ("rides", 7, "")),
        ({"version_label": "stable"}, ("rides", None, "stable")),
    ],
)
def test_requested_tells_a_version_of_zero_from_none(spec, expected):
    request = predict_pb2.PredictRequest(model_spec={"name": "rides", **spec})
    assert requested(request) == expected


def test_requested_refuses_a_request_without_a_model():
    with pytest.raises(ServingError, match="^Missing ModelSpec$"):
        requested(predict_pb2.PredictRequest())
