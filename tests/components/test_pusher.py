import shutil
import threading
from pathlib import Path

import pytest

from crossnet.components.errors import NotBlessedError, PipelineError
from crossnet.components.files import folder_checksum, read_json
from crossnet.components.model_folder import LOCK_FILE, clear_leftovers, locked, read_record, versions_in_service
from crossnet.components.rollback import roll_back
from support import pushes


@pytest.fixture
def push(tmp_path):
    """Pushes a made-up model whose bytes are `content`; returns the PushedModel."""

    def make(content, *, serving_dir=tmp_path / "serving", damage=lambda model: None, **options):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        model = pushes.make_model(folder / "model", content)
        damage(model)
        return pushes.push(model, folder, serving_dir, **options)

    return make


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK_FILE)


def test_push_puts_the_model_unchanged_below_its_version(push, tmp_path):
    pushed = push("a")
    folder = tmp_path / "serving" / "crossnet"
    assert pushed.destination == folder / str(pushed.version)
    assert (pushed.destination / "saved_model.pb").read_text() == "a"
    assert pushed.is_current
    assert read_record(folder, pushed.version)["model"] == "fp-a"
    assert names(folder) == [str(pushed.version), f"{pushed.version}.json"]


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


def test_push_puts_a_model_in_service_again_that_another_one_had_replaced(push):
    first, other, again = push("a"), push("b"), push("a")
    assert again.version > other.version > first.version
    assert (again.counts["pushed"], again.is_current, first.is_current) == (1, True, False)
    assert push("a").version == again.version


def test_push_takes_the_last_that_happened_to_a_model_of_several_versions(push, tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    push("a")
    roll_back(folder, confirmed=True)
    forced = push("a", force="it was right")
    push("b")
    again = push("a")  # forced after its rollback, then replaced: not rolled back
    assert again.version > forced.version
    roll_back(folder)  # `b` is the newest, and an older version of `a` is there
    with pytest.raises(NotBlessedError, match=rf"version {again.version} of `crossnet`, which was rolled back"):
        push("a")


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
    assert names(folder) == [str(first.version), f"{first.version}.json"]


def test_push_says_when_the_folder_is_a_file(push, tmp_path):
    (tmp_path / "serving").write_text("")
    with pytest.raises(PipelineError, match=r"the folder writable, or name another one in `pusher.serving_dir`"):
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


def test_push_passes_by_a_folder_that_only_looks_rolled_back(push, tmp_path):
    first = push("a")
    (tmp_path / "serving" / "crossnet" / "old.rolled_back").mkdir()
    assert push("b").version > first.version


def test_push_refuses_a_model_that_was_rolled_back(push):
    push("a")
    new = push("b")
    roll_back(new.destination.parent)
    assert not new.is_current
    with pytest.raises(NotBlessedError, match=rf"version {new.version} of `crossnet`, which was rolled back"):
        push("b")
    assert push("b", force="checked by hand").version > new.version


# a damaged model


def test_push_refuses_a_model_whose_files_have_changed_since_the_training(push, tmp_path):
    def rot(model):
        (model.serving_path / "variables" / "variables.index").write_text("weightz")

    with pytest.raises(PipelineError, match=r"`cross_layer` is damaged: its artifact, `.*Format-Serving`.*Nothing was"):
        push("a", damage=rot)
    assert not (tmp_path / "serving").exists()


def test_push_refuses_a_copy_that_is_not_what_was_copied(push, tmp_path, monkeypatch):
    copytree = shutil.copytree

    def copy_badly(source, target, *options):
        copytree(source, target, *options)
        (Path(target) / "saved_model.pb").write_text("A")

    monkeypatch.setattr(shutil, "copytree", copy_badly)
    with pytest.raises(PipelineError, match=r"damaged: its copy in the serving folder, `.*`, does not hold"):
        push("a")
    assert names(tmp_path / "serving" / "crossnet") == []


# several processes


def test_two_roots_that_push_at_the_same_moment_each_get_a_version_with_its_own_record(tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    with (
        pushes.pusher(tmp_path / "a", tmp_path / "serving") as first,
        pushes.pusher(tmp_path / "b", tmp_path / "serving") as second,
    ):
        for number in range(20):
            for name, process in (("a", first), ("b", second)):
                process.stdin.write(f"{name}{number}\n")
            answers = {process.stdout.readline().strip() for process in (first, second)}
            assert len(answers) == 2
            for version in answers:
                assert version.isdecimal(), version
                record = read_json(folder / f"{version}.json")
                assert record["version"] == int(version)
                assert record["checksum"] == folder_checksum(folder / version)
                assert record["model"] == f"fp-{(folder / version / 'saved_model.pb').read_text()}"
    assert len(versions_in_service(folder)) == 40
    assert len(names(folder)) == 80


def test_two_roots_that_push_the_same_model_make_one_version_of_it(tmp_path):
    with (
        pushes.pusher(tmp_path / "a", tmp_path / "serving") as first,
        pushes.pusher(tmp_path / "b", tmp_path / "serving") as second,
    ):
        for number in range(5):
            for process in (first, second):
                process.stdin.write(f"{number}\n")
            assert first.stdout.readline() == second.stdout.readline()
    assert len(versions_in_service(tmp_path / "serving" / "crossnet")) == 5


def test_push_says_who_is_at_work_in_the_folder(push, tmp_path, monkeypatch):
    push("a")
    monkeypatch.setattr("crossnet.components.model_folder.MAX_WAIT_SECONDS", 0)
    with (
        locked(tmp_path / "serving" / "crossnet"),
        pytest.raises(
            PipelineError, match=r"Process \d+ on .* has been at work in `.*crossnet` for 0 s or more\. Nothing"
        ),
    ):
        push("b")


KILLED_AT = {
    "while it copies": "shutil.copytree = lambda source, target: (target.mkdir(), os.kill(os.getpid(), 9))",
    "before the record": "pusher.record_version = lambda *_: os.kill(os.getpid(), 9)",
    "between record and rename": "pusher.interrupts.check = lambda: os.kill(os.getpid(), 9)",
}


@pytest.fixture(params=KILLED_AT)
def killed(request, tmp_path, push):
    """A model's folder with one version in service, in which a process was killed during a push."""
    first = push("a")
    before = f"import os, shutil\nfrom crossnet.components import pusher\n{KILLED_AT[request.param]}"
    with pushes.pusher(tmp_path / "other", tmp_path / "serving", before=before) as process:
        process.stdin.write("b\n")
        assert process.wait(30) == -9
    folder = first.destination.parent
    assert [name for name in names(folder) if name.startswith(".tmp-")]
    assert list(versions_in_service(folder)) == [first.version]
    return folder


def test_push_clears_what_a_killed_push_left(killed, push):
    (first,) = versions_in_service(killed)
    version = push("c").version
    assert names(killed) == sorted([str(first), f"{first}.json", str(version), f"{version}.json"])


def test_leftovers_are_cleared_unless_a_live_process_is_at_work(killed, tmp_path):
    (first,) = versions_in_service(killed)
    before = names(killed)
    with locked(killed):
        (killed / ".tmp-7-1").mkdir()  # of the process that has the lock
        clear_leftovers(tmp_path / "serving")
        assert (killed / ".tmp-7-1").exists()
    assert before != names(killed)
    clear_leftovers(tmp_path / "serving")
    assert names(killed) == [str(first), f"{first}.json"]


# permissions


def modes(folder):
    found = [folder, *(path for path in folder.rglob("*") if path.name != LOCK_FILE)]
    return {(path.is_dir(), f"{path.stat().st_mode & 0o7777:o}") for path in found}


@pytest.mark.parametrize(("mode", "files"), [(0o755, "644"), (0o750, "640"), (0o2775, "664"), (0o700, "600")])
def test_push_gives_a_version_the_permissions_of_the_serving_folder_whatever_the_umask(tmp_path, mode, files):
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving").chmod(mode)
    with pushes.pusher(tmp_path / "root", tmp_path / "serving", umask=0o077) as process:
        process.stdin.write("a\n")
        assert process.stdout.readline().strip().isdecimal()
    assert modes(tmp_path / "serving" / "crossnet") == {(True, f"{mode:o}"), (False, files)}


def test_push_gives_a_version_the_permissions_of_the_models_folder_where_it_is_there(tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    with pushes.pusher(tmp_path / "root", tmp_path / "serving", umask=0o077) as process:
        process.stdin.write("a\n")
        assert process.stdout.readline().strip().isdecimal()
    assert modes(folder) == {(True, "750"), (False, "640")}


def test_push_lets_not_everyone_write_where_everyone_may_write(tmp_path, push):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    assert modes(push("a", serving_dir=tmp_path / "open").destination.parent) == {(True, "775"), (False, "664")}


def test_push_takes_damaged_versions_out_of_service_when_the_new_one_is_there(push, tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    first, second = push("a"), push("b")
    for pushed in (first, second):
        (folder / str(pushed.version) / "saved_model.pb").write_text("?")
    third = push("b")
    assert third.version > second.version
    assert third.properties["damaged"] == [second.version, first.version]
    assert list(versions_in_service(folder)) == [third.version]


def test_push_refuses_a_model_that_was_rolled_back_also_where_its_files_were_damaged_since(push, tmp_path):
    folder = tmp_path / "serving" / "crossnet"
    version = push("a").version
    (folder / str(version)).rename(folder / f"{version}.rolled_back")
    (folder / f"{version}.rolled_back" / "saved_model.pb").write_text("?")
    with pytest.raises(NotBlessedError, match=f"is version {version} of `crossnet`, which was rolled back"):
        push("a")
