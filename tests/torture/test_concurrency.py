"""Starts two commands on the same folders at random offsets: one waits or is refused in a sentence, nothing is lost."""

import json
import shutil
import tomllib

import pytest

from crossnet.components.files import folder_checksum, read_json
from support.arena import MODEL, Arena, Asker, free_port, leftovers, wait_until
from support.forked_commands import wait_exactly
from support.torture import cases

REPEATS = 10
BUSY = "is at work in"


@pytest.fixture(scope="module")
def arena(commands, tmp_path_factory):
    return Arena(commands, tmp_path_factory.mktemp("pairs"))


def copy_of(arena, root, seed=1):
    """A root in which an undisturbed run has finished; in this place it has not been pushed."""
    shutil.copytree(arena.reference(seed).root, root, symlinks=True)
    shutil.rmtree(root / "serving_models")
    return root


def at_once(arena, case, first, second, *, apart=0.3):
    """Runs two commands, the second a moment after the first; no traceback. Returns both when they have ended."""
    children = [arena.commands.start(*first)]
    wait_exactly(case.random.uniform(0, apart))
    children.append(arena.commands.start(*second))
    for child in children:
        child.wait()
        assert "Traceback" not in child.said, child.said
    case.count(pairs=1, refused=sum(child.wait() != 0 for child in children))
    return children


def check_run_or_refused(child):
    assert child.wait() == 0 or (child.wait() == 1 and BUSY in child.err), child.said


def check_service(folder):
    """Each version has its own record. Returns the versions in service and those rolled back, and their checksums."""
    versions = {path.name: folder_checksum(path) for path in folder.iterdir() if path.is_dir()}
    for name, checksum in versions.items():
        number = name.removesuffix(".rolled_back")
        record = read_json(folder / f"{number}.json")
        assert (str(record["version"]), record["checksum"]) == (number, checksum)
    assert leftovers(folder) == []
    return versions


def check_whole(arena, root, options):
    again = arena.commands.run("run", *options, "--root", root)
    assert again.wait() == 0, again.said
    assert leftovers(root) == []
    arena.check_whole(root)


def run_and_run(case, arena, folder):
    root, options = copy_of(arena, folder / "root"), arena.settings(1, serving=False)
    run = ["run", *options, "--root", root]
    for child in at_once(arena, case, run, run):
        check_run_or_refused(child)
    assert len(check_service(root / "serving_models" / MODEL)) == 1
    check_whole(arena, root, options)


def run_and_gc(case, arena, folder):
    root, options = copy_of(arena, folder / "root"), arena.settings(1, serving=False)
    for child in at_once(arena, case, ["run", *options, "--root", root], ["gc", "--keep", "1", "--root", root]):
        check_run_or_refused(child)
    check_whole(arena, root, options)


def run_and_rollback(case, arena, folder):
    root, options = copy_of(arena, folder / "root"), arena.settings(1, serving=False)
    run = ["run", *options, "--root", root]
    assert arena.commands.run(*run).wait() == 0
    pushed, back = at_once(arena, case, run, ["rollback", "--yes", "--root", root])
    assert pushed.wait() in (0, 3), pushed.said
    assert back.wait() == 0, back.said
    (name,) = check_service(root / "serving_models" / MODEL)
    assert name.endswith(".rolled_back")


def rollback_and_rollback(case, arena, folder):
    root = copy_of(arena, folder / "root")
    serving = root / "serving_models" / MODEL
    for seed in (1, 2):
        other = root if seed == 1 else copy_of(arena, folder / "other", 2)
        options = [*arena.settings(seed, serving=False), "--set", f'pusher.serving_dir="{serving.parent}"']
        done = arena.commands.run("run", *options, "--root", other)
        assert done.wait() == 0, done.said
    back = ["rollback", "--root", root]
    children = at_once(arena, case, back, back, apart=0.01)
    versions = check_service(serving)
    out = [name for name in versions if name.endswith(".rolled_back")]
    # One that starts after the other has ended is asked for `--yes`: it would take the last version out.
    assert (sorted(child.wait() for child in children), len(out)) == ([0, 1], 1), [child.said for child in children]


def push_and_push(case, arena, folder):
    serving = folder / "serving"
    runs = []
    for seed in (1, 2):
        options = arena.settings(seed, f'pusher.serving_dir="{serving}"', serving=False)
        runs.append(["run", *options, "--root", copy_of(arena, folder / str(seed), seed)])
    for child in at_once(arena, case, *runs):
        assert child.wait() == 0, child.said
    versions = check_service(serving / MODEL)
    assert sorted(versions.values()) == sorted(arena.reference(seed).checksum for seed in (1, 2))


def run_and_look(case, arena, folder):
    root, options = copy_of(arena, folder / "root"), arena.settings(1, serving=False)
    run = ["run", *options, "--root", root]
    for look in (["plan", *options], ["show"], ["runs"], ["report"], ["why", "pusher", *options]):
        for child in at_once(arena, case, run, [*look, "--root", root]):
            assert child.wait() == 0, child.said
        shutil.rmtree(root / "artifacts" / "pusher")
    check_whole(arena, root, options)


def predict_and_predict(case, arena, folder):
    arena.reference(1)
    (model,) = (p for p in (arena.reference(1).root / "serving_models" / MODEL).iterdir() if p.is_dir())
    output = folder / "out.jsonl"
    ask = ["predict", "--rows", arena.folder / "rows.jsonl", "--offline", model, "--output", output]
    for child in at_once(arena, case, ask, ask):
        assert child.wait() == 0, child.said
    assert len([json.loads(line)["prediction"] for line in output.read_text().splitlines()]) == 3
    assert leftovers(folder) == []


def init_and_init(case, arena, folder):
    table = folder / "rides.csv"
    table.write_text("miles,fare\n" + "".join(f"{n},{3 * n + n % 5}\n" for n in range(300)))
    make = ["init", table, "--label", "fare", "--output", folder / "rides.toml"]
    children = at_once(arena, case, make, make, apart=0.1)
    assert sorted(child.wait() for child in children) == [0, 2]
    assert "exists already" in "".join(child.err for child in children)
    assert tomllib.loads((folder / "rides.toml").read_text())["example_gen"]["label"] == "fare"
    assert leftovers(folder) == []


def serve_and_serve(case, arena, folder):
    if not arena.served.exists():
        arena.put_in_service(1)
    ports = [free_port(), free_port()]
    servers = [arena.commands.start("serve", "--root", arena.served, f"--port={port}") for port in ports]
    try:
        for port in ports:
            with Asker(f"127.0.0.1:{port}") as asker:
                wait_until(lambda asker=asker: asker.last, 60)
                asker.failures.clear()  # before the server listened
                asker.take()
                wait_until(lambda asker=asker: sum(asker.answers.values()) > 20)
                arena.check_answers(asker)
    finally:
        for server in servers:
            server.kill()
    assert all("Traceback" not in server.said for server in servers)
    case.count(pairs=1)


def serve_run_and_rollback(case, arena, folder):
    if not arena.served.exists():
        arena.put_in_service(1)
    with arena.serving() as (_, target), Asker(target) as asker:
        wait_until(lambda: asker.last)
        asker.take()
        root, before = copy_of(arena, folder / "root", 2), asker.last
        run = ["run", *arena.settings(2, "evaluator.confidence=0.9"), "--force", "a test", "--root", root]
        pushed = arena.commands.run(*run)
        assert pushed.wait() == 0, pushed.said
        arena.note_versions()
        wait_exactly(case.random.uniform(0, 0.3))
        back = arena.commands.run("rollback", "--root", arena.served)
        assert back.wait() == 0, back.said
        wait_until(lambda: asker.last == before)
        case.count(answers=arena.check_answers(asker), pairs=1)
        check_service(arena.model_folder)


PAIRS = {
    function.__name__.replace("_", "-"): function
    for function in (
        run_and_run,
        run_and_gc,
        run_and_rollback,
        rollback_and_rollback,
        push_and_push,
        run_and_look,
        predict_and_predict,
        init_and_init,
        serve_and_serve,
        serve_run_and_rollback,
    )
}


@cases(
    "pairs",
    [f"{pair}-{number}" for pair in PAIRS for number in range(REPEATS)],
    short=["init-and-init-0", "predict-and-predict-0", "run-and-run-0"],
    says="of two commands at once, one waits or is refused; no record is lost",
)
def test_two_commands_at_once(case, arena, tmp_path):
    PAIRS[case.name.rpartition("-")[0]](case, arena, tmp_path)
    shutil.rmtree(tmp_path)
