import json
import threading

import pytest

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.errors import NotBlessedError, PipelineError
from crossnet.components.files import folder_checksum
from crossnet.components.params.pusher import PusherParams
from crossnet.components.pusher import push_model, read_record, roll_back, versions_in_service


@pytest.fixture
def push(tmp_path):
    """Pushes a made-up model whose bytes are `content`; returns the PushedModel."""

    def make(content, *, blessed=True, infra=True, force="", serving_dir=tmp_path / "serving"):
        number = len(list(tmp_path.iterdir()))
        model, evaluation, validation, out = (tmp_path / f"{number}-{i}" for i in "mevo")
        (model / "Format-Serving" / "variables").mkdir(parents=True)
        (model / "Format-Serving" / "saved_model.pb").write_text(content)
        (model / "Format-Serving" / "variables" / "variables.index").write_text("weights")
        for folder, mark in ((evaluation, "BLESSED" if blessed else "NOT_BLESSED"), (validation, "INFRA_")):
            folder.mkdir()
            (folder / mark).touch()
        (validation / ("INFRA_BLESSED" if infra else "INFRA_NOT_BLESSED")).touch()
        out.mkdir()
        checksum = folder_checksum(model / "Format-Serving")
        candidate = Model(model, {"parameters": 16}, {"kind": "cross_layer", "checksum": checksum}, f"fp-{content}")
        reasons = [] if blessed else ["NOT_BLESSED: too high."]
        return push_model(
            Evaluation(evaluation, {}, {"champion": "cross_layer" if blessed else None, "reasons": reasons}),
            InfraValidation(validation, {}, {"model": "cross_layer", "reasons": [] if infra else ["INFRA: no."]}),
            {"cross_layer": candidate},
            output_dir=out,
            params=PusherParams(),
            serving_dir=str(serving_dir),
            force=force,
        )

    return make


def test_push_puts_the_model_unchanged_below_its_version(push, tmp_path):
    pushed = push("a")
    folder = tmp_path / "serving" / "crossnet"
    assert pushed.destination == folder / str(pushed.version)
    assert (pushed.destination / "saved_model.pb").read_text() == "a"
    assert pushed.is_current
    assert read_record(folder, pushed.version)["model"] == "fp-a"
    assert sorted(p.name for p in folder.iterdir()) == [str(pushed.version), f"{pushed.version}.json"]


def test_push_takes_a_version_above_every_one_ever_used(push, tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    (folder / "99999999999").mkdir(parents=True)
    (folder / "99999999999" / "saved_model.pb").write_text("by hand")
    (folder / "100000000005.rolled_back").mkdir()
    assert push("a").version == 100000000006
    assert push("b").version == 100000000007


def test_push_never_pushes_the_same_model_twice(push, tmp_path):
    first = push("a")
    again = push("a")
    assert again.version == first.version
    assert again.counts["pushed"] == 0
    assert list(versions_in_service(tmp_path / "serving" / "crossnet")) == [first.version]


@pytest.mark.parametrize(("blessed", "infra", "reason"), [(False, True, "too high"), (True, False, "INFRA: no")])
def test_push_refuses_when_a_gate_is_closed(push, tmp_path, blessed, infra, reason):
    with pytest.raises(NotBlessedError, match=reason):
        push("a", blessed=blessed, infra=infra)
    assert not (tmp_path / "serving").exists()


def test_push_in_spite_of_the_gate_records_who_when_and_why(push, tmp_path):
    pushed = push("a", blessed=False, force="the old one is worse")
    record = read_record(tmp_path / "serving" / "crossnet", pushed.version)
    assert record["forced"]["reason"] == "the old one is worse"
    assert record["forced"]["by"]
    assert record["pushed_at"]


def test_push_leaves_nothing_when_the_copy_fails(push, tmp_path, monkeypatch):
    first = push("a")

    def full(source, target):
        target.mkdir()
        (target / "saved_model.pb").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copytree", full)
    with pytest.raises(PipelineError, match=r"Cannot push to `.*`: No space left on device\. Nothing was pushed\."):
        push("b")
    folder = tmp_path / "serving" / "crossnet"
    assert sorted(p.name for p in folder.iterdir()) == [str(first.version), f"{first.version}.json"]


def test_push_says_when_the_folder_is_a_file(push, tmp_path):
    (tmp_path / "serving").write_text("")
    with pytest.raises(PipelineError, match=r"Make the folder writable, or name another one in `pusher.serving_dir`"):
        push("a")


def test_push_shows_a_polling_server_whole_versions_only(push, tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    stop = threading.Event()
    partial = []

    def poll():
        while not stop.is_set():
            for path in versions_in_service(folder).values():
                if not (path / "saved_model.pb").exists() or not (path / "variables" / "variables.index").exists():
                    partial.append(path)

    server = threading.Thread(target=poll)
    server.start()
    try:
        for number in range(20):
            push(f"model {number}")
    finally:
        stop.set()
        server.join()
    assert not partial
    assert len(versions_in_service(folder)) == 20


def test_roll_back_takes_the_newest_out_and_never_gives_its_number_again(push, tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    old, new = push("a"), push("b")
    assert roll_back(folder, "worse on weekends") == (new.version, old.version)
    assert list(versions_in_service(folder)) == [old.version]
    assert not new.is_current
    assert json.loads((folder / f"{new.version}.json").read_text())["rolled_back"]["reason"] == "worse on weekends"
    with pytest.raises(NotBlessedError, match=rf"version {new.version} of `crossnet`, which was rolled back"):
        push("b")
    assert push("b", force="checked by hand").version > new.version


def test_roll_back_says_when_nothing_is_in_service(tmp_path):
    with pytest.raises(PipelineError, match="No version is in service"):
        roll_back(tmp_path)


def test_versions_in_service_skips_what_servers_skip(tmp_path):
    for name in ("3", "00000012", "x", "4.rolled_back", ".tmp-5-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").touch()
    assert {number: path.name for number, path in versions_in_service(tmp_path).items()} == {12: "00000012", 3: "3"}


def test_push_passes_by_a_folder_that_only_looks_rolled_back(push, tmp_path):
    first = push("a")
    (tmp_path / "serving" / "crossnet" / "old.rolled_back").mkdir()
    assert push("b").version > first.version
