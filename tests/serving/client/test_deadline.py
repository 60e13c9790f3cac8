from __future__ import annotations

from crossnet.serving.client.deadline import Deadline, pause_before_retry


def test_pauses_double_up_to_a_second_and_are_never_all_alike():
    assert [pause_before_retry(i, 1.0) for i in (0, 1, 4, 5, 50)] == [0.05, 0.1, 0.8, 1.0, 1.0]
    assert pause_before_retry(5, 0.0) == 0.5


def test_deadline_of_infinity_never_comes():
    assert Deadline(float("inf")).left() > 9e8
