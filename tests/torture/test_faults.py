"""Takes space, memory, files and permission from runs and commands, and looks at what they say and what is left.

A full or read-only disk is a small tmpfs, which takes root and a kernel that lets it mount; the limits of a process
work for everyone.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crossnet.components.files import read_json
from support import REPOSITORY
from support.torture import cases

STEPS = ["example_gen", "statistics_gen", "schema_gen", "example_validator", "trainer_cross_layer", "trainer_dense"]
STEPS += ["evaluator", "infra_validator", "pusher"]
SETTINGS = ["models=['cross_layer', 'dense']", "example_gen.num_examples=3000", "trainer.epochs=2"]
SETTINGS += ["trainer.batch_size=300", "evaluator.max_rmse=100", "evaluator.min_improvement=none"]
SETTINGS += ["evaluator.max_mean_ratio=none", "evaluator.max_linear_ratio=none"]
KIB, MIB = 1 << 10, 1 << 20
FULL = {"full": 0, "full-but-16k": 16 * KIB, "full-but-64k": 64 * KIB}
LARGE = {"file-of-0": 0, "file-of-4k": 4 * KIB, "file-of-24k": 24 * KIB}
ON_DISK = [*FULL, "no-inodes", "read-only"]
IN_STEPS = [f"{fault} in {step}" for step in STEPS for fault in (*ON_DISK, *LARGE, "denied")]
MEMORY = [
    f"memory {mib} MiB"
    for mib in (20, 30, 100, 150, 200, 210, 310, 320, 400, 600, 800, 1200, 1600, 2000, 2400, 2800, 3200, 4000, 6000)
]
FILES = [f"open files {count}" for count in (8, 10, 12, 16, 24, 32, 48, 64, 128)]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2  # prctl(2), capabilities(7)


# A process of its own, not `preexec_fn`: that forks this process, and gRPC, where it is at work here, aborts the fork.
LIMITED = f"""
import ctypes, json, os, resource, sys
limits, dropped = json.loads(sys.argv[1])
for kind, most in limits:
    resource.setrlimit(kind, (most, most))
for capability in dropped:
    ctypes.CDLL(None).prctl({PR_CAPBSET_DROP}, capability, 0, 0, 0)
os.execv(sys.argv[2], sys.argv[2:])
"""


class World:
    """A root, the way in which a command is called in it, and how its disk is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.obeys_permissions = False

    def run(self, *arguments, limits=()):
        """Calls a command that reads the settings."""
        return self.call(*arguments, *(part for setting in SETTINGS for part in ("--set", setting)), limits=limits)

    def call(self, *arguments, limits=()):
        """Calls a command with limits: (kind, most) as for `resource.setrlimit`."""

        dropped = [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH] if self.obeys_permissions and not os.geteuid() else []
        before = [sys.executable, "-c", LIMITED, json.dumps([limits, dropped])] if limits or dropped else []
        environment = {"PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": "-1", "CROSSNET_ROOT": str(self.root)}
        # What counts lines for a test run writes a file of its own at the end: the limits are not for that.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "COV_"))}
        return subprocess.run(
            [*before, sys.executable, "-m", "crossnet", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**inherited, "HOME": str(self.folder), **environment},
        )

    def pushed(self):
        """What is in service: the checksum of each version, in their order."""
        records = sorted((self.root / "serving_models" / "crossnet").glob("*.json"))
        return [read_json(file)["checksum"] for file in records if file.stem.isdecimal()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A root in which nothing has failed."""
    world = World(tmp_path_factory.mktemp("whole"))
    done = world.run("run")
    assert done.returncode == 0, done.stderr
    return world


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@contextlib.contextmanager
def small_disk(folder, size):
    """A tmpfs of `size` bytes in `folder`; yields what changes it: `change("size=1m")`."""
    folder.mkdir()
    if os.geteuid():
        pytest.skip("only root may mount")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def keep_until(world, whole, step):
    """Gives a root the finished artifacts of all steps before `step`."""
    for name in STEPS[: STEPS.index(step)]:
        shutil.copytree(whole.root / "artifacts" / name, world.root / "artifacts" / name)


def failed_in_words(done):
    """Whether a command ended as it should: with 0, or with 1 and one sentence, never with a traceback."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode in (0, 1), (done.returncode, done.stdout, done.stderr)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if re.search(r"(failed: |Cannot |cannot be read: )", line)]
        assert said, done.stderr
        assert len(said) == len(set(said))
    return bool(done.returncode)


def recovers(world, whole):
    """The same command works, and pushes the same model."""
    again = world.run("run", "--json")
    assert again.returncode == 0, again.stderr
    assert world.pushed() == whole.pushed()
    assert json.loads(again.stdout)["verdict"] == "BLESSED"
    assert list(world.root.glob("artifacts/*/.tmp-*")) == []
    shown = world.call("runs")
    assert (shown.returncode, "Skipped" in shown.stderr) == (0, False)


@cases(
    "faults in steps",
    IN_STEPS,
    short=["full in example_gen"],
    says="a step that the disk refuses says why; then the same run goes on and pushes the same model",
)
def test_a_fault_in_a_step_is_a_sentence_and_leaves_nothing_half_done(case, world, whole):
    fault, _, step = case.name.partition(" in ")
    with contextlib.ExitStack() as stack:
        limits = []
        if fault in LARGE:
            limits = [(resource.RLIMIT_FSIZE, LARGE[fault])]
        else:
            world.root = world.folder / "disk" / "root"
            change = stack.enter_context(small_disk(world.folder / "disk", 64 * MIB))
        keep_until(world, whole, step)
        if fault in FULL:
            fill(world.folder / "disk", FULL[fault])
        elif fault == "no-inodes":
            used = os.statvfs(world.folder / "disk")
            change(f"nr_inodes={used.f_files - used.f_ffree + case.random.randrange(8, 24)}")
        elif fault == "read-only":
            change("ro")
        elif fault == "denied":
            deny(world, step)
        done = world.run("run", limits=limits)
        hit = failed_in_words(done)
        assert hit or fault in ("no-inodes", "full-but-64k", "file-of-24k", "full-but-16k"), done.stderr
        case.count(failed_in_words=hit, not_hit=not hit)
        if fault in FULL:
            (world.folder / "disk" / "filler").unlink()
        elif fault in ("no-inodes", "read-only"):
            change("rw,nr_inodes=0")
        elif fault == "denied":
            allow(world, step)
        recovers(world, whole)


def fill(folder, free):
    """Fills a disk until `free` bytes are left."""
    left = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with (folder / "filler").open("wb") as stream:
        stream.write(bytes(max(left - free, 0)))


def deny(world, step):
    """Lets nobody write a step's folder, and takes from root the right to do so all the same."""
    folder = world.root / "artifacts" / step
    if step == "pusher":
        folder = world.root / "serving_models" / "crossnet"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    world.obeys_permissions = True


def allow(world, step):
    for folder in (world.root / "artifacts" / step, world.root / "serving_models" / "crossnet"):
        if folder.is_dir():
            folder.chmod(0o755)
    world.obeys_permissions = False


@cases(
    "memory and files",
    [*MEMORY, *FILES],
    short=[],
    says="a run without memory or open files says so; then it goes on",
)
def test_a_run_that_gets_no_memory_or_no_files_is_recovered(case, world, whole):
    kind, most = (
        (resource.RLIMIT_AS, int(case.name.split()[1]) * MIB)
        if case.name.startswith("memory")
        else (resource.RLIMIT_NOFILE, int(case.name.split()[-1]))
    )
    done = world.run("run", limits=[(kind, most)])
    hit = failed_in_words(done)
    case.count(failed_in_words=hit, not_hit=not hit)
    recovers(world, whole)


COMMANDS = ["plan", "why pusher", "runs", "show", "report", "gc", "run", "run --run again"]
COMMANDS += [
    "init rows.csv --label y --output disk/rides.toml",
    "predict --rows rows.jsonl --offline pushed --output disk/out",
]
COMMANDS += ["rollback --yes"]
COMMANDS_MEMORY = [f"memory {mib} MiB" for mib in (30, 100, 200, 215, 315, 345, 400)]


@cases(
    "faults in commands",
    ["full", "no-inodes", "read-only", "file-of-0", "open files 8", *COMMANDS_MEMORY],
    short=["file-of-0"],
    says="a command that the system refuses something ends with a sentence, and works afterwards",
)
def test_a_command_says_what_the_system_refuses(case, world, whole):
    world.root = world.folder / "disk" / "root"
    limits = []
    with contextlib.ExitStack() as stack:
        if case.name in ON_DISK:
            change = stack.enter_context(small_disk(world.folder / "disk", 64 * MIB))
        shutil.copytree(whole.root, world.root, symlinks=True)
        (world.folder / "rows.csv").write_text("a,y\n" + "1,2\n3,4\n" * 25)
        (world.folder / "rows.jsonl").write_text('{"x0": 0.5, "x1": 0.5, "x2": 0.5}\n')
        (world.folder / "pushed").symlink_to(whole.root / "serving_models" / "crossnet")
        (world.folder / "disk").mkdir(exist_ok=True)
        if case.name == "full":
            fill(world.folder / "disk", 0)
        elif case.name == "no-inodes":
            used = os.statvfs(world.folder / "disk")
            change(f"nr_inodes={used.f_files - used.f_ffree}")
        elif case.name == "read-only":
            change("ro")
        elif case.name in LARGE:
            limits = [(resource.RLIMIT_FSIZE, 0)]
        elif case.name.startswith("open"):
            limits = [(resource.RLIMIT_NOFILE, 8)]
        else:
            limits = [(resource.RLIMIT_AS, int(case.name.split()[1]) * MIB)]
        for command in COMMANDS:
            call = world.run if command in ("run", "plan", "why pusher") else world.call
            done = call(*command.split(), limits=limits)
            case.count(commands=1, failed_in_words=failed_in_words(done))
        for version in (world.root / "serving_models" / "crossnet").glob("*.rolled_back"):
            version.rename(version.with_suffix(""))
        if case.name in ON_DISK:
            change("rw,size=128m,nr_inodes=0")
        recovers(world, whole)
