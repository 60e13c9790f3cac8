import json
import subprocess
import sys

import pytest

DATA_ONLY = ("--until", "statistics_gen", "--set", "example_gen.num_examples=300")


@pytest.fixture
def shard(crossnet, tmp_path):
    """A shard of the only run, in ./crossnet_root."""
    assert crossnet("run", *DATA_ONLY).exit_code == 0
    (shard,) = tmp_path.glob("crossnet_root/artifacts/example_gen/*/Split-train/data_tfrecord-*")
    return shard


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.usefixtures("shard")
def test_verify_says_that_nothing_is_damaged_and_exits_0(crossnet):
    done = crossnet("verify")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "Verified 2 artifacts, 0 versions, 0.1 MiB: nothing is damaged.\n"
    assert crossnet("verify", "--all").stdout.startswith("Verified 2 artifacts, 0 versions, 1 record, 0.1 MiB: nothing")


def test_verify_names_each_damaged_file_and_exits_1(crossnet, shard):
    flip(shard)
    where, name = shard.parent.parent.relative_to(shard.parents[4]), f"Split-train/{shard.name}"
    done = crossnet("verify")
    assert done.exit_code == 1
    line, summary, advice = done.stdout.splitlines()
    assert line.startswith(f"{where}: `{name}` has SHA-256 ")
    assert summary.endswith(": 1 file damaged.")
    assert "Call `crossnet verify --set-aside` with the same arguments" in advice
    facts = json.loads(crossnet("verify", "--json").stdout)
    (damage,) = facts["damaged"]
    assert (damage["folder"], damage["file"]) == (str(shard.parent.parent), name)
    assert (facts["artifacts"], facts["versions"], facts["unverifiable"], facts["set_aside"]) == (2, 0, [], [])


def test_verify_sets_aside_what_the_next_run_makes_again(crossnet, shard):
    before = shard.read_bytes()
    flip(shard)
    done = crossnet("verify", "--set-aside")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == "`crossnet run` makes what was set aside again."
    assert f".damaged-{shard.parent.parent.name}: was set aside" in done.stdout
    assert crossnet("run", *DATA_ONLY).exit_code == 0
    assert shard.read_bytes() == before
    assert crossnet("verify").exit_code == 0
    assert crossnet("gc").stdout.splitlines()[-1].startswith("Removed 1 folder, ")


def test_verify_of_a_run_that_is_not_there_is_one_sentence(crossnet, shard):
    done = crossnet("verify", "tomorrow")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("No run `tomorrow` in ")


def test_verify_loads_no_tensorflow(shard):
    code = (
        "import sys; from click.testing import CliRunner; from crossnet.pipeline.cli import cli\n"
        "done = CliRunner().invoke(cli, ['verify', '--all', '--root', sys.argv[1]], catch_exceptions=False)\n"
        "assert 'tensorflow' not in sys.modules; sys.exit(done.exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(shard.parents[4])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
