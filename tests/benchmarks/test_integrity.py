"""The benchmark of checksums measures functions by name: they must be where it looks."""

import subprocess
import sys

from benchmarks import integrity


def test_the_measured_functions_are_there(tmp_path):
    arguments = (str(tmp_path / "root"), "schema_gen", "example_gen.num_examples=1000")
    done = subprocess.run([sys.executable, "-c", integrity.SCRIPT, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    spent, total = map(float, done.stdout.split())
    assert 0 < spent < total
