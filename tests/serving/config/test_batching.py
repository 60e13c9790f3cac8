from __future__ import annotations

import os

import pytest

from crossnet.serving.config.batching import BatchSettings, read_batching
from crossnet.serving.status import ServingError
from support import REPOSITORY


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        path = tmp_path / "batching.config"
        path.write_text(text)
        return read_batching(path)

    return from_text


def test_defaults_are_the_real_servers():
    settings = read_batching("")
    assert (settings.max_batch_size, settings.batch_timeout_micros, settings.max_enqueued_batches) == (1000, 0, 10)
    assert settings.num_batch_threads == os.cpu_count()


def test_fields_are_read(read):
    text = """max_batch_size { value: 8 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 3 }
              num_batch_threads { value: 2 } thread_pool_name { value: "p" } allowed_batch_sizes: [2, 8]"""
    assert read(text) == BatchSettings(8, 0, 3, 2, "p", (2, 8), split=False, max_execution_batch_size=8)
    split = read("max_batch_size { value: 8 } enable_large_batch_splitting { value: true } "
                 "max_execution_batch_size { value: 4 } allowed_batch_sizes: 4")  # fmt: skip
    assert (split.max_batch_size, split.max_execution_batch_size, split.split) == (8, 4, True)
    assert read("max_execution_batch_size { value: 4 }").max_execution_batch_size == 1000  # only where it splits


def test_the_shipped_file_is_read():
    settings = read_batching(REPOSITORY / "serving" / "deploy" / "config" / "batching.config")
    assert (settings.max_execution_batch_size, settings.split) == (1024, True)


@pytest.mark.parametrize(("rows", "padded"), [(1, 2), (2, 2), (3, 8)])
def test_allowed_sizes_are_reached(rows, padded):
    assert BatchSettings(allowed_batch_sizes=(2, 8)).padded(rows) == padded
    assert BatchSettings().padded(rows) == rows


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_batch { value: 1 }", 'has no field named "max_batch"'),
        ("max_batch_size { value: 0 }", "max_batch_size is 0; expected 1 or more"),
        ("num_batch_threads { value: -1 }", "num_batch_threads is -1; expected 1 or more"),
        ("num_batch_threads { value: 100000000 }", "num_batch_threads is 100000000; expected at most 2,048."),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros is -1; expected 0 or more"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches is 0; expected 1 or more"),
        ("allowed_batch_sizes: [8, 4]", "must be monotonically increasing"),
        ("allowed_batch_sizes: [0, 1000]", "must be monotonically increasing, from 1 on"),
        ("allowed_batch_sizes: [4, 8]", "must match max_batch_size; last entry was 8; expected 1000"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs is not supported"),
        (
            "enable_large_batch_splitting { value: true } max_execution_batch_size { value: 2000 }",
            "max_execution_batch_size is 2000; expected at most max_batch_size, 1000",
        ),
    ],
)
def test_parameters_that_cannot_be_kept_are_refused(read, text, sentence):
    with pytest.raises(ServingError, match="batching.config") as error:
        read(text)
    assert sentence in str(error.value)


def test_a_size_that_another_follows_is_named_once(read):
    with pytest.raises(ServingError, match=r"batching\.config: max_batch_size is 0; expected 1 or more\.$"):
        read("max_batch_size { value: 0 }")
