import subprocess
import sys

import pytest

from crossnet.pipeline import threads

CHECK = """
import sys
from pathlib import Path
from crossnet.components.artifacts.examples import Examples
from crossnet.pipeline import threads

claimed, rows = sys.argv[1] == "claimed", int(sys.argv[2])
if claimed:
    threads.claim_process()
before = threads.may_limit()
import tensorflow as tf
threads.limit_threads([Examples(Path("e"), counts={"train": rows - 1, "eval": 1})])
found = tf.config.threading.get_intra_op_parallelism_threads()
tf.constant(1.0) + 1.0
threads.limit_threads([Examples(Path("e"), counts={"train": 5})])  # TensorFlow would refuse another number
assert tf.config.threading.get_intra_op_parallelism_threads() == found
print(found, before, threads.may_limit())
"""


@pytest.mark.parametrize(
    ("process", "rows", "found"),
    [
        ("claimed", threads.FEW_ROWS, "1 True True"),
        ("claimed", threads.FEW_ROWS + 1, "0 True False"),  # this process has begun with all threads
        ("another's", threads.FEW_ROWS, "0 False False"),
    ],
)
def test_a_command_of_ours_gives_tensorflow_one_thread_where_rows_are_few(process, rows, found):
    done = subprocess.run([sys.executable, "-c", CHECK, process, str(rows)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found
