import os
import subprocess
import sys

import pytest

from support import REPOSITORY

KERAS, ALLOCATOR = "TF_USE_LEGACY_KERAS", "MIMALLOC_PURGE_DELAY"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [(KERAS, None, "1"), (KERAS, "0", "0"), (ALLOCATOR, None, "60000"), (ALLOCATOR, "5", "5")],
)
def test_keras_2_and_the_allocators_delay_are_chosen_unless_the_user_has_chosen(name, before, after):
    environment = {key: value for key, value in os.environ.items() if key != name}
    if before is not None:
        environment[name] = before
    code = "import os, sys, crossnet.components\n"
    code += "print(os.environ[sys.argv[1]], {'tensorflow', 'pyarrow'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code, name], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [after, "set()"]
