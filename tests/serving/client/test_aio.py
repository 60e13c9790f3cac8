"""The aio client: the same surface, awaited. Its policy is tested in test_exchange.py."""

from __future__ import annotations

import asyncio
import threading

import grpc
import numpy as np
import pytest

from crossnet.serving.client.aio import AsyncPredictionClient
from crossnet.serving.status import DeadlineError, InvalidRequestError, ServerError, UnavailableError
from support.fake_server import XS, FakeServer

ONE = {"x0": [0.5], "x1": [1.0], "x2": [1.5]}


def with_client(body, server=None, **settings):
    server = server or FakeServer(XS)

    async def main(target):
        async with AsyncPredictionClient(target, **settings) as client:
            return await body(client)

    with server.running() as target:
        return asyncio.run(main(target))


def test_aio_client_predicts_and_tells_metadata_and_status():
    async def body(client):
        await client.wait_ready(5)
        return (await client.predict(ONE), await client.metadata(), await client.status())

    prediction, metadata, status = with_client(body)
    assert prediction.values.tolist() == [0.5]
    assert prediction.version == metadata.version == status[0].version == 7


def test_aio_client_answers_many_calls_at_once():
    async def body(client):
        return await asyncio.gather(*(client.predict({name: [float(i)] for name in XS}) for i in range(100)))

    assert [prediction.values[0] for prediction in with_client(body)] == list(range(100))


def test_aio_client_splits_a_large_batch_and_bounds_what_is_in_flight():
    server = FakeServer(XS)
    barrier = threading.Barrier(3, timeout=10)

    def meet(arrays):
        barrier.wait()
        return {"prediction": arrays["x0"]}

    server.model = meet

    async def body(client):
        return await client.predict({name: np.arange(120.0) for name in XS})

    prediction = with_client(body, server, max_rows_per_call=10, max_in_flight=3)
    assert prediction.values.tolist() == list(range(120))
    assert server.most_busy == 3


def test_aio_client_ends_with_the_first_error_of_a_large_batch():
    server = FakeServer(XS)

    async def body(client):
        await client.predict(ONE)
        server.faults = [None, (grpc.StatusCode.INTERNAL, "out of luck")]
        with pytest.raises(ServerError, match="out of luck"):
            await client.predict({name: np.arange(50.0) for name in XS})

    with_client(body, server, max_rows_per_call=1, max_in_flight=1)
    assert server.calls.count("Predict") < 10


def test_aio_client_tries_unavailable_again():
    server = FakeServer(XS)
    server.faults = [None, (grpc.StatusCode.UNAVAILABLE, "busy")]

    async def body(client):
        return await client.predict(ONE)

    assert with_client(body, server).values.tolist() == [0.5]
    assert server.calls == ["GetModelMetadata", "Predict", "Predict"]


def test_aio_client_tells_wrong_inputs():
    async def body(client):
        with pytest.raises(InvalidRequestError, match="Missing: `x1`, `x2`"):
            await client.predict({"x0": [1.0]})

    with_client(body)


def test_aio_call_ends_at_its_deadline():
    server = FakeServer(XS)
    leave = threading.Event()

    def hold(arrays):
        leave.wait(10)
        return {"prediction": arrays["x0"]}

    server.model = hold

    async def body(client):
        with pytest.raises(DeadlineError, match="within 0.3 s"):
            await client.predict(ONE, timeout_seconds=0.3)
        leave.set()

    with_client(body, server)


def test_aio_client_tells_no_server_at_once():
    with FakeServer(XS).running() as target:
        pass

    async def main():
        async with AsyncPredictionClient(target) as client:
            with pytest.raises(UnavailableError, match="Nothing listens at localhost:"):
                await client.predict(ONE)

    asyncio.run(main())


def test_aio_call_can_be_cancelled():
    server = FakeServer(XS)
    entered, leave = threading.Event(), threading.Event()

    def hold(arrays):
        entered.set()
        leave.wait(10)
        return {"prediction": arrays["x0"]}

    server.model = hold

    async def body(client):
        call = asyncio.ensure_future(client.predict(ONE))
        await asyncio.to_thread(entered.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        leave.set()

    with_client(body, server)


def test_closed_aio_client_says_so():
    async def main():
        client = AsyncPredictionClient("localhost:1")
        await client.close()
        with pytest.raises(ValueError, match="is closed"):
            await client.predict(ONE)

    asyncio.run(main())


def test_aio_client_belongs_to_one_event_loop():
    with FakeServer(XS).running() as target:
        client = AsyncPredictionClient(target)
        asyncio.run(client.predict(ONE))
        with pytest.raises(
            ValueError, match="belongs to the event loop of its first call. Make a new client for this loop"
        ):
            asyncio.run(client.predict(ONE))
