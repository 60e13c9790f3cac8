import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import REPOSITORY

MIB = 1 << 20
SENTENCE = "`crossnet plan` failed: the system refused it memory (at most 65,536 MiB, `ulimit -v`)"
# What a process does that is watched; it has much more memory than it needs.
WATCHED = """
import atexit, os, resource, signal, sys, time
from crossnet.components import interrupts
resource.setrlimit(resource.RLIMIT_AS, (1 << 36, 1 << 36))
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run behind `&`
from crossnet.pipeline import memory_guard
sys.argv = ["crossnet", "plan", *sys.argv[1:]]
memory_guard.watch()
"""
LIMITED = """
import os, resource, sys
resource.setrlimit(int(sys.argv[1]), (int(sys.argv[2]),) * 2)
os.execv(sys.executable, [sys.executable, "-m", "crossnet", *sys.argv[3:]])
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", WATCHED + code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


def call(code, *arguments):
    process = start(code, *arguments)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os._exit(1)", ". End other programs"),  # as OpenBLAS does
        ("os._exit(127)", ". End other programs"),  # as the dynamic linker does
        ("os.abort()", ", which ended it by SIGABRT. End other programs"),  # as C++ does
        ("os.kill(os.getpid(), signal.SIGSEGV)", ", which ended it by SIGSEGV. End other programs"),
    ],
)
def test_what_a_library_ends_is_a_sentence(code, how):
    returned, out, err = call(code)
    assert (returned, out) == (1, "")
    assert err.startswith(SENTENCE + how)
    assert err.count("\n") == 1


def test_the_json_object_has_the_sentence():
    returned, out, err = call("os.abort()", "--json")
    assert (returned, json.loads(out)) == (1, {"error": err.strip()})


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_command_that_ends_by_itself_keeps_its_exit_code_and_words(code):
    assert call(f"print('its words', file=sys.stderr); interrupts.end({code})") == (code, "", "its words\n")


def test_a_library_that_fails_when_all_is_said_changes_nothing():
    assert call("atexit.register(os.abort); interrupts.end(3)") == (3, "", "")


def test_an_error_that_says_so_is_left_to_the_parent_and_a_bug_is_not():
    assert call("memory_guard.end_unheard(MemoryError())")[2].startswith(SENTENCE)
    assert call("memory_guard.end_unheard(KeyError('rows')); interrupts.end(1)") == (1, "", "")


WAITING = """
try:
    with interrupts.noticed():
        print("here", flush=True)
        time.sleep(30)
except interrupts.Interrupted as error:
    interrupts.end(error.exit_code)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_command(number, code):
    process = start(WAITING)
    assert process.stdout.readline() == "here\n"
    process.send_signal(number)
    assert (process.communicate(timeout=30)[1], process.returncode) == ("", code)


def test_the_sigint_that_openblas_sends_itself_is_a_lack_of_memory():
    code = "\nwith interrupts.noticed():\n    try:\n        signal.raise_signal(signal.SIGINT)\n"
    code += "    except MemoryError as error:\n        memory_guard.end_unheard(error)\n"
    returned, _, err = call(code)
    assert (returned, err.startswith(SENTENCE)) == (1, True)


def test_a_command_ends_with_the_process_that_watches_it():
    process = start("print(os.getpid(), flush=True); time.sleep(30)")
    child = Path(f"/proc/{int(process.stdout.readline())}/status")
    process.kill()
    process.communicate(timeout=30)
    until = time.monotonic() + 10
    while child.exists() and "zombie" not in child.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    assert not child.exists() or "zombie" in child.read_text()


FULL = """
import mmap
kept, size = [], 1 << 32
def take():
    try:
        kept.append(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ))
    except (OSError, MemoryError):
        return False
    return True
while size >= 1 << 19:
    if not take():
        size >>= 1
size = 1 << 32
"""
# What is left is less than OpenBLAS asks for, and enough for Python to read and to end, with lines counted too.
NEARLY_FULL = (
    FULL.partition("while size")[0]
    + """
size = (1 << 36) - int(open("/proc/self/statm").read().split()[0]) * mmap.PAGESIZE - (24 << 20)
assert take()
size = 1 << 32
assert not take()
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("left", [19, 25])
def test_a_process_that_asks_for_memory_for_ever_is_ended(left):
    """As CPython 3.11 does with nearly all memory taken, and OpenBLAS with less than 32 MiB left; here by `mmap`."""
    returned, _, err = call(FULL.replace("1 << 19", f"1 << {left}") + "while True:\n    take()\n")
    assert (returned, err.partition(". ")[0]) == (1, f"{SENTENCE}, which ended it by SIGKILL")


@pytest.mark.slow
@pytest.mark.parametrize("work", ["os.read(zeros, 1 << 16)", "take(); time.sleep(0.0001)"])
def test_a_process_that_works_with_all_memory_taken_is_left_alone(work):
    code = NEARLY_FULL + "zeros, end = os.open('/dev/zero', os.O_RDONLY), time.monotonic() + 12\n"
    code += f"while time.monotonic() < end:\n    {work}\ninterrupts.end(0)\n"
    assert call(code) == (0, "", "")


def limited(folder, kind, mib, *arguments, timeout=60):
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(int(kind)), str(int(mib * MIB)), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "CROSSNET_ROOT": str(folder / "root")},
    )


@pytest.mark.slow
@pytest.mark.parametrize("mib", [40, 60, *range(100, 440, 20), 305, 310])
def test_memory_that_is_refused_at_any_import_is_one_sentence(tmp_path, mib):
    """OpenBLAS, Arrow and C++ ended `init` with these limits, each in a way of its own; with 400 MiB Arrow waited."""
    (tmp_path / "rows.csv").write_text("a,y\n" + "1,2\n3,4\n" * 25)
    done = limited(tmp_path, resource.RLIMIT_AS, mib, "init", "rows.csv", "--label", "y", "--output", "rides.toml")
    assert "Traceback" not in done.stderr, done.stderr
    written = {file.name for file in tmp_path.iterdir()}
    if done.returncode:
        assert done.returncode == 1, done.stderr
        (said,) = (line for line in done.stderr.splitlines() if "failed: " in line)
        assert f"init` failed: the system refused it memory (at most {mib} MiB, `ulimit -v`)" in said
        assert "Allow" in said or "allow" in said
        assert written == {"rows.csv"}
    else:
        assert mib > 100
        assert written == {"rows.csv", "rides.toml"}


def test_a_limited_command_that_has_enough_works(tmp_path):
    done = limited(tmp_path, resource.RLIMIT_AS, 65536, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("crossnet, version ")


def test_a_limit_on_data_is_watched_too(tmp_path):
    said = [limited(tmp_path, resource.RLIMIT_DATA, mib, "plan") for mib in (12, 16, 20)]
    for done in said:
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
        assert "failed: the system refused it memory" in done.stderr
    assert any("`ulimit -d`" in done.stderr for done in said)


def test_what_does_not_begin_says_so_too(tmp_path):
    """With so little Python itself may not start, end in words of its own, or raise one exception for ever."""
    said = []
    for mib in range(18, 30, 2):
        with contextlib.suppress(subprocess.TimeoutExpired):
            said.append(limited(tmp_path, resource.RLIMIT_AS, mib, "plan", timeout=10))
    assert all(done.returncode for done in said)
    sentences = [done.stderr for done in said if "failed: the system refused it memory" in done.stderr]
    assert sentences
    assert not any("Traceback" in sentence for sentence in sentences)
