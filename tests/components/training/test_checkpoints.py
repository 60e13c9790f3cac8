from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.errors import TrainingError
from crossnet.components.training.checkpoints import Checkpoint, Checkpoints, differences
from support.limits import files_of_at_most

IDENTITY = {"kind": "dense", "units": [3, 3]}
CHECKPOINT = Checkpoint({"epoch": 4}, {"weight_0": np.arange(6.0).reshape(2, 3)})


def test_checkpoint_comes_back_as_it_was_written(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "new", IDENTITY).write(CHECKPOINT)
    found = Checkpoints(tmp_path / "new", IDENTITY).read()
    assert found is not None
    assert found.state == {"epoch": 4}
    assert found.arrays.keys() == {"weight_0"}
    assert found.arrays["weight_0"].tobytes() == CHECKPOINT.arrays["weight_0"].tobytes()


def test_checkpoint_leaves_one_file_only(tmp_path: Path) -> None:
    for _ in range(2):
        Checkpoints(tmp_path, IDENTITY).write(CHECKPOINT)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_checkpoint_that_was_cut_short_while_written_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".tmp-checkpoint.npz").write_bytes(b"half")
    assert Checkpoints(tmp_path, IDENTITY).read() is None


def test_checkpoint_that_does_not_fit_leaves_the_one_before_and_no_half(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.write(CHECKPOINT)
    with files_of_at_most(2000), pytest.raises(OSError, match="File too large"):
        checkpoints.write(Checkpoint({"epoch": 5}, {"weight_0": np.zeros((100, 100))}))
    found = checkpoints.read()
    assert found is not None
    assert found.state == {"epoch": 4}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_checkpoint_with_a_flipped_bit_is_passed_over_and_never_read_as_another(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.write(CHECKPOINT)
    path = tmp_path / "checkpoint.npz"
    whole, passed_over = path.read_bytes(), 0
    for place in range(len(whole)):
        for bit in (1, 64):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            found = checkpoints.read()
            passed_over += found is None
            if found is not None:  # what a time stamp in the archive says, say
                assert found.state == CHECKPOINT.state
                assert found.arrays["weight_0"].tobytes() == CHECKPOINT.arrays["weight_0"].tobytes()
    assert passed_over > len(whole)  # of twice as many


def test_checkpoint_of_another_training_is_refused_with_all_differences(tmp_path: Path) -> None:
    Checkpoints(tmp_path, IDENTITY).write(CHECKPOINT)
    sentence = (
        r'another training: `kind` is "dense" there, "cross_layer" here; `units` is \[3, 3\] there, \[4\] here\. Remove'
    )
    with pytest.raises(TrainingError, match=sentence):
        Checkpoints(tmp_path, {"kind": "cross_layer", "units": [4]}).read()


def test_differences_look_into_nested_values() -> None:
    assert differences({"a": {"b": 1}}, {"a": {"b": 1}}) == ""
    assert differences({"a": {"b": 1}}, {"a": {"b": 2}}) == "`b` is 1 there, 2 here"
