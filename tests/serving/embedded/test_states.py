"""Versions, entries and leases: who waits, who failed, and which change of the configuration is allowed."""

from __future__ import annotations

import threading
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from crossnet.serving.config.versions import ModelConfig
from crossnet.serving.embedded.states import Entry, Lease, State, Version, check_change
from crossnet.serving.status import ServingError

CODE = grpc.StatusCode
BASE = Path("/models/rides")


def entry(*versions, wanted=None, platform="tensorflow"):
    """A model with versions as (number, state) or (number, state, code)."""
    known = {number: Version("rides", number, BASE / str(number), state, *code) for number, state, *code in versions}
    aspired = None if wanted is None else {number: BASE / str(number) for number in wanted}
    return Entry(ModelConfig("rides", BASE, platform), known, aspired)


def numbers(versions):
    return [version.number for version in versions]


def test_states_have_the_official_numbers():
    official = dict(get_model_status_pb2.ModelVersionStatus.State.items())
    assert {state.name: int(state) for state in State} == {k: v for k, v in official.items() if k != "UNKNOWN"}


@pytest.mark.parametrize(
    ("state", "code", "failed"),
    [(State.END, CODE.DATA_LOSS, True), (State.END, CODE.OK, False), (State.START, CODE.DATA_LOSS, False)],
)
def test_a_version_has_failed_when_it_ended_with_an_error(state, code, failed):
    assert Version("rides", 1, BASE, state, code).failed is failed


def test_available_are_those_that_answer():
    found = entry((1, State.AVAILABLE), (2, State.LOADING), (3, State.UNLOADING), (4, State.AVAILABLE))
    assert numbers(found.available()) == [1, 4]


@pytest.mark.parametrize(("wanted", "answers"), [(None, False), ([], False), ([2], False), ([1, 2], True)])
def test_a_model_answers_when_a_version_that_is_wanted_does(wanted, answers):
    assert entry((1, State.AVAILABLE), (2, State.LOADING), wanted=wanted).wanted_and_available() is answers


def test_failures_count_only_where_everything_wanted_has_failed():
    bad = (2, State.END, CODE.DATA_LOSS)
    assert numbers(entry((1, State.AVAILABLE), bad, wanted=[2]).failures()) == [2]
    assert entry((1, State.LOADING), bad, wanted=[1, 2]).failures() == []
    assert entry(bad, wanted=[2, 3]).failures() == []  # 3 is not known yet
    assert entry(bad, wanted=[]).failures() == []
    assert entry(bad).failures() == []


def test_forget_retries_ends_what_waits_or_failed_and_is_no_longer_wanted():
    found = entry(
        (1, State.START, CODE.DATA_LOSS), (2, State.END, CODE.DATA_LOSS), (3, State.AVAILABLE), (4, State.START),
        wanted=[4],
    )  # fmt: skip
    for version in found.versions.values():
        version.attempts = 5
    found.forget_retries()
    assert {n: (v.state, v.attempts) for n, v in found.versions.items()} == {
        1: (State.END, 0),
        2: (State.END, 0),
        3: (State.AVAILABLE, 5),
        4: (State.START, 5),
    }


class Noticed:
    """A condition that counts who was woken."""

    def __init__(self):
        self.count = 0

    def notify_all(self):
        self.count += 1


@pytest.fixture
def serving():
    old, new = (Version("rides", number, BASE, State.AVAILABLE, model=f"model {number}") for number in (1, 2))
    return {"rides": [new, old]}


def lease(serving, name="rides", version=None, changed=None):
    return Lease(changed or Noticed(), threading.RLock(), serving, name, version)


def test_a_lease_lends_the_newest_version_or_the_one_that_is_named(serving):
    new, old = serving["rides"]
    with lease(serving) as lent:
        assert lent == (2, "model 2")
        assert (new.users, old.users) == (1, 0)
        with lease(serving, version=1) as other, lease(serving) as again:
            assert (other, again) == ((1, "model 1"), (2, "model 2"))
            assert (new.users, old.users) == (2, 1)
    assert (new.users, old.users) == (0, 0)


def test_a_lease_passes_over_a_version_whose_model_is_gone(serving):
    serving["rides"][0].model = None
    with lease(serving) as lent:
        assert lent == (1, "model 1")


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [("rides", 3, "Specific(rides, 3)"), ("rides", 0, "Specific(rides, 0)"), ("nope", None, "Latest(nope)")],
)
def test_a_lease_of_what_is_not_served_is_not_found(serving, name, version, words):
    with pytest.raises(ServingError) as error, lease(serving, name, version):
        pass
    assert (error.value.code, str(error.value)) == (CODE.NOT_FOUND, f"Servable not found for request: {words}")


def test_the_last_user_of_a_version_that_must_go_wakes_the_manager(serving):
    changed = Noticed()
    new = serving["rides"][0]
    with lease(serving, changed=changed):
        pass
    assert changed.count == 0  # it stays
    with lease(serving, changed=changed):
        with lease(serving, changed=changed):
            new.state = State.UNLOADING
        assert changed.count == 0  # one user is left
    assert changed.count == 1


def test_a_lease_ends_also_when_its_block_fails(serving):
    with pytest.raises(ZeroDivisionError), lease(serving):
        raise ZeroDivisionError
    assert serving["rides"][0].users == 0


# ---- Changes of the configuration ----


def change(before, platform="tensorflow", labels=None, given=None, before_available=False):
    check_change(before, ModelConfig("rides", BASE, platform, labels=labels or {}), given or {}, before_available)


def test_a_new_model_needs_the_platform_that_is_served():
    change(None)
    with pytest.raises(ServingError, match="model_platform other is not supported; expected tensorflow"):
        change(None, platform="other")


def test_the_platform_of_a_model_changes_only_after_it_was_removed():
    known = entry(platform="old")
    with pytest.raises(ServingError, match="For model rides platform was old and new platform requested is tensorflow"):
        change(known)
    known.removed = True
    change(known)


def test_labels_are_given_to_available_versions():
    known = entry((1, State.AVAILABLE), (2, State.LOADING))
    change(known, labels={"stable": 1})
    for options in ({"labels": {"next": 2}}, {"labels": {"next": 3}}):
        with pytest.raises(
            ServingError, match="Request to assign label to version . of model rides, which is"
        ) as error:
            change(known, **options)
        assert error.value.code == CODE.FAILED_PRECONDITION
    with pytest.raises(ServingError, match="assign label to version 1"):
        change(None, labels={"stable": 1})


def test_labels_before_available_are_for_new_labels_only():
    known = entry((1, State.AVAILABLE), (2, State.LOADING))
    change(known, labels={"next": 2}, before_available=True)
    change(known, labels={"next": 2}, given={"next": 2}, before_available=True)
    change(known, labels={"next": 1}, given={"next": 9}, before_available=True)
    with pytest.raises(ServingError, match="assign label to version 2"):
        change(known, labels={"next": 2}, given={"next": 1}, before_available=True)
