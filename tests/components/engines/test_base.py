import pytest

from crossnet.components.engines.base import IN_PROCESS


def test_jobs_run_one_after_the_other_when_their_results_are_asked_for():
    done = []
    results = IN_PROCESS.map(lambda number, factor: done.append(number) or number * factor, [(1, 10), (2, 10), (3, 10)])
    assert done == []
    assert next(results) == 10
    assert done == [1]
    assert list(results) == [20, 30]


def test_the_first_failure_ends_the_jobs():
    with pytest.raises(ZeroDivisionError):
        list(IN_PROCESS.map(lambda number: 1 // number, [(1,), (0,), (2,)]))


def test_no_amount_of_work_starts_a_process():
    assert IN_PROCESS.for_bytes(1 << 50) is IN_PROCESS
    assert IN_PROCESS.width == 1
