"""Messages that are read without being parsed: as parsing reads them, and only where all but the values is equal."""

from __future__ import annotations

import sys
import threading

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow_serving.apis import predict_pb2

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.codec import read_tensor
from crossnet.serving.embedded.predictor import request_templates
from crossnet.serving.protocol import message_templates
from crossnet.serving.protocol.message_templates import TemplateCache
from crossnet.serving.server import Server
from support.serving_fixtures import failure, predict_request, stubs_on
from support.serving_models import save_model

NUMBERS = ["float32", "float64", "float16", "int8", "int64", "uint16", "bool", "complex64"]
ARRAYS = st.sampled_from(NUMBERS).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
)
REQUESTS = st.dictionaries(st.text(max_size=8), ARRAYS, min_size=1, max_size=5)


def serialized(arrays, *, packed=(), model="rides"):
    """A request with the arrays' own bytes; those named in `packed` in the typed field."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    for alias, array in arrays.items():
        tensor = request.inputs[alias]
        tensor.dtype = int(predict_request(x=array).inputs["x"].dtype)
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        if alias in packed:
            (tensor.float_val if array.dtype == np.float32 else tensor.double_val).extend(array.ravel().tolist())
        else:
            tensor.tensor_content = array.tobytes()
    return request.SerializeToString(deterministic=True)


def parsed(message):
    request = predict_pb2.PredictRequest.FromString(message)
    return request, {alias: read_tensor(tensor, alias) for alias, tensor in request.inputs.items()}


def template_of(message, request):
    return request_templates().template_of(message, request)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for alias, array in expected.items():
        assert (found[alias].dtype, found[alias].shape) == (array.dtype, array.shape)
        assert found[alias].tobytes() == array.tobytes()


@given(arrays=REQUESTS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_request_with_other_values_is_read_as_parsing_reads_it(arrays, data):
    packed = [
        name for name, array in arrays.items() if array.dtype in ("float32", "float64") and data.draw(st.booleans())
    ]
    message = serialized(arrays, packed=packed)
    template = template_of(message, parsed(message)[0])
    others = {name: data.draw(hnp.arrays(array.dtype, array.shape)) for name, array in arrays.items()}
    other = serialized(others, packed=packed)
    assert len(other) == len(message)
    assert template.matches(other)
    assert_equal(template.arrays(other), parsed(other)[1])
    bare = predict_pb2.PredictRequest.FromString(message)
    assert template.header.request.model_spec == bare.model_spec
    assert template.header.target == ("rides", None, "")
    assert template.header.request.inputs.keys() == bare.inputs.keys()


def test_no_changed_byte_is_read_differently_from_parsing():
    arrays = {"a": np.arange(3, dtype=np.float32), "b": np.ones((2, 2), np.int16), "c": np.float64(2)}
    message = serialized(arrays, packed=["c"]) + b"\x1a\x01y"  # the output_filter comes after the last values
    template = template_of(message, parsed(message)[0])
    assert sum(len(content) for _, _, content in template.fixed) == len(message) - 12 - 8 - 8
    values = sum(array.nbytes for array in arrays.values())
    fits = 0
    for position in range(len(message)):
        for bit in range(8):
            changed = bytearray(message)
            changed[position] ^= 1 << bit
            if template.matches(bytes(changed)):
                fits += 1
                assert_equal(template.arrays(bytes(changed)), parsed(bytes(changed))[1])
    assert fits == 8 * values  # the values' own bits, and no other


def test_values_are_views_of_the_message():
    message = serialized({"x": np.arange(4, dtype=np.float32).reshape(2, 2)})
    (array,) = template_of(message, parsed(message)[0]).arrays(message).values()
    assert np.shares_memory(array, np.frombuffer(message, np.uint8))


def entry(alias, tensor):
    return b"\x12" + bytes([len(alias) + len(tensor) + 4]) + b"\x0a" + bytes([len(alias)]) + alias + b"\x12" + bytes(
        [len(tensor)]
    ) + tensor  # fmt: skip


SPEC = b"\x0a\x07\x0a\x05rides"
FLOAT = b"\x08\x01\x12\x04\x12\x02\x08\x01"  # one float; its value follows
TWO_FLOATS = b"\x08\x01\x12\x04\x12\x02\x08\x02"
NO_FLOAT = b"\x08\x01\x12\x04\x12\x02\x08\x00"
TEXT = b"\x08\x07\x12\x04\x12\x02\x08\x01"  # one text
CONTENT, PACKED, UNPACKED = b"\x22\x04abcd", b"\x2a\x04abcd", b"\x2dabcd"
ODD_ENTRY = b"\x12\x15\x0a\x01x\x78\x31\x12\x0e" + FLOAT + CONTENT


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(entry(b"x", FLOAT + CONTENT), id="no model"),
        pytest.param(serialized({}), id="no input"),
        pytest.param(serialized({"x": np.zeros(0, np.float32)}), id="no value"),
        pytest.param(predict_request(x=np.array([b"text"])).SerializeToString(), id="text"),
        pytest.param(predict_request(x=np.int32([1])).SerializeToString(), id="varints"),
        pytest.param(SPEC + entry(b"x", FLOAT + UNPACKED), id="values one by one"),
        pytest.param(SPEC + entry(b"x", FLOAT + CONTENT + PACKED), id="values twice"),
        pytest.param(SPEC + entry(b"x", FLOAT + CONTENT + CONTENT), id="content twice"),
        pytest.param(SPEC + entry(b"x", FLOAT + CONTENT) + entry(b"x", FLOAT + CONTENT), id="input twice"),
        pytest.param(SPEC + entry(b"x", FLOAT), id="implied value"),
        pytest.param(SPEC + entry(b"x", FLOAT + PACKED + b"\x2a\x04efgh"), id="too many values"),
        pytest.param(SPEC + entry(b"x", FLOAT + b"\x22\x03abc"), id="too few bytes"),
        pytest.param(SPEC + entry(b"x", TWO_FLOATS + PACKED), id="fewer values than the shape"),
        pytest.param(SPEC + entry(b"x", TWO_FLOATS + PACKED) + entry(b"y", FLOAT + PACKED), id="fewer, not at the end"),
        pytest.param(SPEC + entry(b"x", FLOAT + b"\x2a\x08abcdefgh"), id="more values than the shape"),
        pytest.param(SPEC + entry(b"x", NO_FLOAT + b"\x22\x00"), id="no value, written as content"),
        pytest.param(SPEC + entry(b"x", TEXT + b"\x22\x08\x07abcdefg"), id="text as content, as long as a pointer"),
        pytest.param(SPEC + entry(b"x", TWO_FLOATS + b"\x32\x08abcdefgh"), id="values of another type"),
        pytest.param(SPEC + entry(b"x", FLOAT + CONTENT + UNPACKED), id="content and a value"),
        pytest.param(SPEC + b"\x12\x10\x12\x0e" + FLOAT + CONTENT, id="no name"),
        pytest.param(SPEC + ODD_ENTRY, id="an entry with another field, of which nothing is taken"),
        pytest.param(SPEC + ODD_ENTRY + entry(b"y", FLOAT + CONTENT), id="the same beside another input"),
        pytest.param(b"\x1a\x01y" * 9000 + serialized({"x": np.ones(1, np.float32)}), id="much beside the values"),
    ],
)
def test_other_requests_have_no_template(message):
    request = predict_pb2.PredictRequest.FromString(message)
    assert template_of(message, request) is None


def test_the_hand_written_request_has_a_template_where_nothing_is_wrong_with_it():
    for values in (CONTENT, PACKED):
        message = SPEC + entry(b"x", FLOAT + values)
        found = template_of(message, predict_pb2.PredictRequest.FromString(message)).arrays(message)
        assert_equal(found, {"x": np.frombuffer(b"abcd", np.float32)})


def test_what_repeats_is_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(message_templates, "_MAX_LENGTHS", 3)
    known = request_templates()

    def ask(size, model="rides"):
        message = serialized({"x": np.ones(size, np.float32)}, model=model)
        found = known.find(message)
        if found is None:
            known.remember(message, predict_pb2.PredictRequest.FromString(message))
        return found

    assert [ask(1) is not None for _ in range(3)] == [False, True, True]
    for size in range(2, 7):
        for _ in range(message_templates._REMEMBER_EVERY + 1):
            found = ask(size)
        assert found
    assert len(known._templates) == 3
    assert ask(1) is None  # the oldest gave way
    for number in range(12):
        for _ in range(message_templates._REMEMBER_EVERY + 1):
            found = ask(6, model=f"m{number:04}")
        assert found.header.request.model_spec.name == f"m{number:04}"
    assert max(len(kept) for kept in known._templates.values()) == message_templates._MAX_PER_LENGTH


def test_only_some_of_the_messages_that_match_nothing_are_remembered():
    cache = request_templates()
    for size in range(1, 2 * message_templates._REMEMBER_EVERY + 1):
        message = serialized({"x": np.ones(size, np.float32)})
        cache.remember(message, predict_pb2.PredictRequest.FromString(message))
    assert len(cache._templates) == 2


def test_tensors_come_in_the_order_of_their_names():
    message = SPEC + entry(b"b", FLOAT + CONTENT) + entry(b"c", FLOAT + PACKED) + entry(b"a", FLOAT + CONTENT)
    found = template_of(message, predict_pb2.PredictRequest.FromString(message))
    assert list(found.arrays(message)) == ["a", "b", "c"]
    assert found.tensors["b"].first < found.tensors["c"].first < found.tensors["a"].first


def test_templates_are_remembered_by_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(message_templates, "_MAX_LENGTHS", 16)
    monkeypatch.setattr(message_templates, "_REMEMBER_EVERY", 1)
    known, errors = request_templates(), []
    messages = [serialized({"x": np.ones(size, np.float32)}) for size in range(1, 60)]
    parsed = [predict_pb2.PredictRequest.FromString(message) for message in messages]

    def work(seed):
        try:
            for i in np.random.default_rng(seed).integers(0, len(messages), 3000):
                known.remember(messages[i], parsed[i])
        except RuntimeError as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert len(known._templates) == 16


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    base = tmp_path_factory.mktemp("models") / "demo"
    save_model(base / "1")
    flags = ServerFlags(port=0, model_name="demo", model_base_path=str(base))
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        yield stubs


def test_a_server_gives_each_repeated_request_its_own_answer(stubs, monkeypatch):
    parsed, remember = [], TemplateCache.remember
    monkeypatch.setattr(TemplateCache, "remember", lambda *arguments: parsed.append(remember(*arguments)))
    random = np.random.default_rng(0)
    for rows in (2, 5):
        for _ in range(30):
            x0, x1 = random.normal(size=(2, rows)).astype(np.float32)
            answer = stubs.predict(predict_request(x0=x0, x1=x1))
            np.testing.assert_array_equal(list(answer.outputs["prediction"].float_val), x0 + x1)
    assert 0 < len(parsed) < 30  # of 60


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (predict_request(x0=[1.0, 2.0]), grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature: 1!=2"),
        (predict_request(x0=[1.0, 2.0], y=[1.0, 2.0]), grpc.StatusCode.INVALID_ARGUMENT, "x1"),
        (predict_request(x0=[1.0, 2.0], x1=np.ones(2)), grpc.StatusCode.INVALID_ARGUMENT, "Type mismatch"),
        (predict_request("none", x0=[1.0, 2.0], x1=[1.0, 2.0]), grpc.StatusCode.NOT_FOUND, "none"),
        (
            predict_request(signature="none", x0=[1.0, 2.0], x1=[1.0, 2.0]),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "none" not found.',
        ),
        (predict_request(version=9, x0=[1.0, 2.0], x1=[1.0, 2.0]), grpc.StatusCode.NOT_FOUND, "9"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_answered_the_same_however_often_it_comes(stubs, request_, code, words):
    answers = {failure(stubs.predict, request_) for _ in range(message_templates._REMEMBER_EVERY + 3)}
    assert len(answers) == 1
    ((found, message),) = answers
    assert found is code
    assert words in message
