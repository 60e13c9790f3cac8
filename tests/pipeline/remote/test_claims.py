"""Tests that one process at a time changes a root in a store, and what becomes of the claims of the dead."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from crossnet.components.errors import PipelineError
from crossnet.pipeline.remote import claims as module
from crossnet.pipeline.remote.claims import CLAIMS, Claim
from crossnet.serving.storage.folder import StoreError, StoreFolder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MAX_PAUSE_SECONDS", 0.01)
    (tmp_path / "root").mkdir()
    return StoreFolder((tmp_path / "root").as_uri())


def left(tmp_path):
    return sorted((tmp_path / "root" / CLAIMS).glob("*"))


def test_a_second_run_is_refused_with_who_is_at_work_and_the_first_goes_on(store, tmp_path):
    with Claim(store).held():
        with (
            pytest.raises(
                PipelineError,
                match=rf"^Another run \(process {os.getpid()} on .*, since 20.*Z\) is at work in `file://.*/root`\. "
                r"Wait for it, or name another folder with --root\. The claim of a process that was killed ends aft",
            ),
            Claim(store).held(),
        ):
            pass
        assert len(left(tmp_path)) == 1
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("one", "other", "together"), [("a", "b", True), ("a", "a", False), ("", "a", False), ("a", "", False)]
)
def test_different_steps_are_at_work_together(store, one, other, together):
    with Claim(store, one).held():
        if together:
            with Claim(store, other).held():
                pass
        else:
            with pytest.raises(PipelineError, match="^Another "), Claim(store, other).held():
                pass


def test_a_claim_of_a_process_that_was_killed_here_does_not_count(store, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    facts = {"process": ended.pid, "processes": module._processes()}
    store.write(f"{CLAIMS}/a.json", json.dumps(facts).encode())
    with Claim(store).held():
        assert len(left(tmp_path)) == 1


@pytest.mark.parametrize(("seconds", "counts"), [(module.DEAD_SECONDS + 60, False), (module.DEAD_SECONDS - 60, True)])
def test_a_claim_of_another_machine_counts_until_it_was_not_renewed_for_long(store, tmp_path, seconds, counts):
    store.write(f"{CLAIMS}/a.json", json.dumps({"process": 1, "machine": "other", "step": ""}).encode())
    then = time.time() - seconds
    os.utime(tmp_path / "root" / CLAIMS / "a.json", (then, then))
    if counts:
        with pytest.raises(PipelineError, match=r"process 1 on other, since an unknown time"), Claim(store).held():
            pass
    else:
        with Claim(store).held():
            pass


def test_a_claim_that_was_taken_away_is_noticed_before_anything_is_put(store, tmp_path):
    claim = Claim(store)
    with claim.held():
        claim.check()
        left(tmp_path)[0].unlink()
        with pytest.raises(PipelineError, match=r"^This process has lost its claim on `file://.*/root`: it could not"):
            claim.check()


def test_a_claim_is_renewed(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    with Claim(store).held():
        file = left(tmp_path)[0]
        os.utime(file, (0, 0))
        end = time.monotonic() + 20
        while file.stat().st_mtime == 0:
            assert time.monotonic() < end


def test_a_store_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "root").write_text("a file")
    with (
        pytest.raises(StoreError, match=r"root/.claims/.*` cannot be written: "),
        Claim(StoreFolder((tmp_path / "root").as_uri())).held(),
    ):
        pass
