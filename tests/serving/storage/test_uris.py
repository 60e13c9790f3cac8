"""Tests what is a URI, and that secrets in one are not shown."""

from __future__ import annotations

import pytest

from crossnet.serving.storage.uris import below, identity, is_uri, shown_uri, with_region, without_secrets

WITH_SECRETS = "s3://key:pa%2Fss@bucket/a/b?endpoint_override=host:1&scheme=http"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("s3://b/m", True), ("gs://b", True), ("file:///m", True)),
        *(("/m", False), ("m", False), ("C:/m", False), ("", False), ("a/s3://b", False), ("1s://b", False)),
    ],
)
def test_a_scheme_makes_a_uri(text, expected):
    assert is_uri(text) is expected


def test_a_uri_is_shown_without_user_password_and_query():
    assert shown_uri(WITH_SECRETS) == "s3://bucket/a/b"
    assert shown_uri("s3://bucket/a@b") == "s3://bucket/a@b"
    assert shown_uri("/a?b@c") == "/a?b@c"  # a path


def test_a_librarys_message_loses_the_secrets_too():
    assert without_secrets(f"Unrecognized URI: {WITH_SECRETS}!", WITH_SECRETS) == "Unrecognized URI: s3://bucket/a/b!"
    assert without_secrets("bad s3://k:s@b?region=us-east-1", "s3://k:s@b") == "bad s3://b"


def test_a_new_password_names_the_same_folder_and_another_endpoint_does_not():
    assert identity(WITH_SECRETS) == identity("s3://bucket/a/b/?endpoint_override=host:1&scheme=http")
    assert identity(WITH_SECRETS) != identity("s3://bucket/a/b")


def test_a_region_is_added_only_where_pyarrow_would_ask_for_one():
    assert with_region("s3://b/m") == "s3://b/m?region=us-east-1"
    assert with_region("s3://b/m?scheme=http") == "s3://b/m?scheme=http&region=us-east-1"
    for uri in ("s3://b?region=x", "s3://b?endpoint_override=h", "gs://b", "file:///b"):
        assert with_region(uri) == uri


def test_what_is_in_a_folder_has_a_uri_with_the_folders_query():
    assert below("s3://bucket/a/?region=eu", "b/c") == "s3://bucket/a/b/c?region=eu"
    assert below("gs://bucket", "a") == "gs://bucket/a"
