import contextlib
import errno
import os
import pickle
import resource
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from crossnet.components.errors import DataError
from crossnet.pipeline.faults import FaultError, explain, explained


def system_error(number, path="/data/rides.csv"):
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("number", "reason", "advice"),
    [
        (errno.ENOSPC, "no space is left in `/` (", "with `crossnet gc`, or name a folder elsewhere with --root."),
        (errno.EDQUOT, "no space is left in `/` (", "with `crossnet gc`, or name a folder elsewhere with --root."),
        (errno.EFBIG, "a file became larger than its file system takes", "set `example_gen.num_shards` higher, "),
        (errno.EMFILE, "too many files are open (at most ", "`ulimit -n`). Allow more."),
        (errno.ENFILE, "too many files are open (at most ", "`ulimit -n`). Allow more."),
        (errno.ENOMEM, "the system refused it memory", "a lower `trainer.batch_size`"),
        (errno.EAGAIN, "the system refused it memory", "a lower `trainer.batch_size`"),
        (errno.EROFS, "`/data/rides.csv` is on a file system that is read-only", "Make it writable, "),
        (errno.EACCES, "the permission for `/data/rides.csv` is denied", "Give it to this user, "),
        (errno.EPERM, "the permission for `/data/rides.csv` is denied", "Give it to this user, "),
        (errno.EIO, "Input/output error: `/data/rides.csv`", "Look at that path, then call again."),
        (errno.ENOENT, "No such file or directory: `/data/rides.csv`", "Look at that path, then call again."),
    ],
)
def test_an_error_of_the_system_is_a_sentence_with_reason_and_advice(tmp_path, number, reason, advice):
    sentence = explain(system_error(number), "`pusher`", tmp_path)
    assert sentence.startswith(f"`pusher` failed: {reason}")
    assert advice in sentence


def test_the_place_that_ran_out_of_space_is_named_with_what_is_free(tmp_path):
    sentence = explain(OSError(errno.ENOSPC, "No space left on device"), "`pusher`", tmp_path / "not" / "there")
    free = shutil.disk_usage(tmp_path).free / 2**20
    assert f"no space is left in `{tmp_path}` (" in sentence
    assert float(sentence.partition(" MiB free")[0].rpartition("(")[2].replace(",", "")) == pytest.approx(free, rel=0.1)


@pytest.fixture
def limit():
    """Sets the soft limit of a resource for this test."""
    before = {}

    def set_limit(kind, number):
        before[kind] = resource.getrlimit(kind)
        resource.setrlimit(kind, (number, before[kind][1]))

    yield set_limit
    for kind, numbers in before.items():
        resource.setrlimit(kind, numbers)


def test_limits_are_named(tmp_path, limit):
    limit(resource.RLIMIT_FSIZE, 3 << 20)
    file = tmp_path / "file"
    with (
        pytest.raises(FaultError, match=r"^It failed: a file became larger than 3 MiB \(`ulimit -f`\)\. Raise the"),
        explained("It", tmp_path),
        file.open("wb") as stream,
    ):
        stream.seek(4 << 20)
        stream.write(b"x")
    limit(resource.RLIMIT_NOFILE, 64)
    with (
        contextlib.ExitStack() as stack,
        pytest.raises(FaultError, match=r"too many files are open \(at most 64, `ulimit -n`\)"),
        explained("It", tmp_path),
    ):
        for _ in range(100):
            stack.enter_context(file.open())
    limit(resource.RLIMIT_AS, 1 << 40)
    assert "refused it memory (at most 1,048,576 MiB, `ulimit -v`)" in explain(MemoryError(), "It", tmp_path)


class ResourceExhaustedError(Exception):
    """Named and placed as TensorFlow's."""

    __module__ = "tensorflow.python.framework.errors_impl"


class InvalidArgumentError(Exception):
    """Named and placed as TensorFlow's."""

    __module__ = "tensorflow.python.framework.errors_impl"


@pytest.mark.parametrize(("limit", "is_memory"), [(1 << 40, True), (resource.RLIM_INFINITY, False)])
def test_inputs_that_tensorflow_has_lost_are_a_lack_of_memory_where_that_is_limited(
    tmp_path, monkeypatch, limit, is_memory
):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    lost = InvalidArgumentError("Attempt to access beyond input size: 0 >= 0\n\tIn {{node while/MatMul}}")
    assert ("refused it memory" in (explain(lost, "It", tmp_path) or "")) == is_memory


class ArrowError(Exception):
    """Placed as Arrow's."""

    __module__ = "pyarrow.lib"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ResourceExhaustedError("/x/a.data; No space left on device [Op:SaveV2]"), "no space is left in "),
        (ResourceExhaustedError("OOM when allocating tensor with shape[1000000,1000000]"), "the system refused it mem"),
        (ArrowError("[Errno 27] Error writing bytes to file. Detail: File too large"), "a file became larger than "),
        (ArrowError("Failed to launch worker thread: Resource temporarily unavailable"), "the system refu"),
        (OSError("[Errno 28] Error writing bytes to file: No space left on device"), "no space is left in "),
        (MemoryError("std::bad_alloc"), "the system refused it memory"),
        (RuntimeError("can't start new thread"), "the system refused it memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "the system refused it memory"),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]), "no space is left in "),
    ],
)
def test_an_error_of_a_library_is_known_by_its_text(tmp_path, error, reason):
    assert explain(error, "It", tmp_path).startswith(f"It failed: {reason}")


def test_the_first_cause_counts(tmp_path):
    error = ValueError("I/O operation on closed file")
    error.__context__ = system_error(errno.ENOSPC)
    assert "no space is left" in explain(error, "It", tmp_path)


@pytest.mark.parametrize("bug", [KeyError("rows"), ValueError("no"), RuntimeError("no"), OSError("no"), TypeError()])
def test_a_bug_is_not_explained(tmp_path, bug):
    assert explain(bug, "It", tmp_path) is None
    with pytest.raises(type(bug)), explained("It", tmp_path):
        raise bug


def test_an_error_with_words_of_its_own_keeps_them(tmp_path):
    with pytest.raises(DataError, match="^rows$"), explained("It", tmp_path):
        raise DataError("rows") from system_error(errno.ENOSPC)


def test_a_process_of_a_pool_that_was_killed_is_explained(tmp_path):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        error = executor.submit(os._exit, 9).exception()
    assert explain(error, "`example_gen`", tmp_path).startswith(
        "`example_gen` failed: the system ended one of its processes, as it does when memory runs out."
    )


def test_a_fault_is_an_error_of_the_pipeline():
    error = pickle.loads(pickle.dumps(FaultError("no space")))
    assert (str(error), error.exit_code) == ("no space", 1)


def test_an_op_without_a_name_is_a_lack_of_memory(tmp_path):
    """Seen under `ulimit -v 2800 MiB`, in the middle of training."""
    import tensorflow as tf

    error = tf.errors.NotFoundError(None, None, "Op type not registered '' in binary running on vm. Make sure the Op")
    assert explain(error, "It", tmp_path).startswith("It failed: the system refused it memory")
    assert explain(tf.errors.NotFoundError(None, None, "Op type not registered 'Odd'"), "It", tmp_path) is None


def test_a_command_that_writes_one_file_is_not_told_of_shards(tmp_path):
    error = OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(tmp_path / "out.csv"))
    assert explain(error, "`crossnet predict`", tmp_path) == (
        "`crossnet predict` failed: a file became larger than its file system takes. Raise the limit, or write to "
        "another file system."
    )


@pytest.mark.parametrize(("limit", "is_memory"), [(1 << 40, True), (resource.RLIM_INFINITY, False)])
def test_code_of_c_that_fails_without_a_reason_lacks_memory_where_that_is_limited(
    tmp_path, monkeypatch, limit, is_memory
):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, limit))
    error = SystemError("<function _find_and_load> returned NULL without setting an exception")
    assert ("refused it memory" in (explain(error, "It", tmp_path) or "")) == is_memory
