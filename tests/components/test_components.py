import os
import subprocess
import sys

import pytest

from support import REPOSITORY


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_keras_2_is_chosen_unless_the_user_has_chosen(before, after):
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    if before is not None:
        environment["TF_USE_LEGACY_KERAS"] = before
    code = "import os, sys, crossnet.components; print(os.environ['TF_USE_LEGACY_KERAS'], 'tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [after, "False"]
