import subprocess
import sys
from pathlib import Path

from support import REPOSITORY

SCRIPT = """
from pathlib import Path
from crossnet.components.engines.local import LocalEngine

print("script")  # below no `if __name__ == "__main__":`, as in a notebook or a first script
with LocalEngine(2) as engine:
    print(*engine.map(Path.exists, [(Path("/"),), (Path("/no"),)]))
"""


def test_processes_do_not_run_the_script_that_started_them_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT)
    command = [sys.executable, str(file)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(REPOSITORY)}, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["script", "True False"]
