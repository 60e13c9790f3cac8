import multiprocessing
import os
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LEAST_BYTES, LocalEngine
from support.serving_fixtures import wait_until


@pytest.fixture(scope="module")
def engine():
    with LocalEngine(2) as engine:
        yield engine


def test_work_that_a_pool_would_not_speed_up_stays_in_this_process():
    engine = LocalEngine(2)
    assert engine.for_bytes(LEAST_BYTES - 1) is IN_PROCESS
    assert engine.for_bytes(LEAST_BYTES) is engine
    assert LocalEngine(1).for_bytes(LEAST_BYTES) is IN_PROCESS
    assert list(engine.map(os.getpid, [()])) == [os.getpid()]
    assert list(LocalEngine(1).map(os.getpid, [(), ()])) == [os.getpid()] * 2


def test_results_have_the_order_of_the_jobs_and_steps_share_the_processes(engine):
    assert list(engine.map(divmod, [(n, 7) for n in range(20)])) == [divmod(n, 7) for n in range(20)]
    before = set(multiprocessing.active_children())
    used = {pid for _ in range(5) for pid in engine.map(os.getpid, [(), ()])}
    assert os.getpid() not in used
    assert set(multiprocessing.active_children()) == before
    assert used <= {process.pid for process in before}


def test_an_error_of_a_job_arrives_whole():
    with LocalEngine(2) as engine:
        with pytest.raises(OSError, match="nowhere") as caught:
            list(engine.map(os.stat, [("/nowhere",), ("/",)]))
        assert (caught.value.errno, caught.value.filename) == (2, "/nowhere")
        assert list(engine.map(abs, [(-1,), (-2,)])) == [1, 2]  # other processes


def test_the_error_is_that_of_the_first_job_that_fails():
    with LocalEngine(2) as engine, pytest.raises(ValueError, match="'job 0'"):
        list(engine.map(int, [(f"job {number}",) for number in range(6)]))


def test_a_caller_that_stops_early_leaves_no_process_at_work():
    with LocalEngine(2) as engine:
        results = engine.map(time.sleep, [(0,), (3600,)])
        assert next(results) is None
        workers = engine._workers
        assert len(workers) == 2
        results.close()
        wait_until(lambda: not any(worker.is_alive() for worker in workers))


def test_an_interrupt_ends_the_processes():
    with pytest.raises(KeyboardInterrupt), LocalEngine(2) as engine:
        engine._submit(time.sleep, (3600,))  # a pool waits for what its processes do
        engine._submit(time.sleep, (3600,))
        workers = engine._workers
        assert len(workers) == 2
        raise KeyboardInterrupt
    wait_until(lambda: not any(worker.is_alive() for worker in workers))


def test_a_killed_process_is_told_and_the_next_step_has_others():
    with LocalEngine(2) as engine:
        with pytest.raises(BrokenProcessPool):
            list(engine.map(os._exit, [(9,), (9,)]))
        assert list(engine.map(abs, [(-1,), (-2,)])) == [1, 2]
