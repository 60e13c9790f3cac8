"""Damages random files of artifacts and of what is in service: the next run mends them and serves the same."""

import os
import shutil

import pytest

from crossnet.components.files import folder_checksum
from crossnet.components.model_folder import versions_in_service
from crossnet.pipeline.config import load_config
from crossnet.pipeline.store import Store
from crossnet.pipeline.verify import set_aside_damaged, verify
from support.torture import cases

SETTINGS = (
    "example_gen.num_examples=600",
    "example_gen.num_shards=3",
    'models=["cross_layer", "dense"]',
    "trainer.epochs=3",
    "trainer.batch_size=100",
    "trainer.checkpoint_every=1",
    "evaluator.max_rmse=9",
    "evaluator.min_improvement=none",
    "evaluator.max_mean_ratio=none",
    "evaluator.max_linear_ratio=none",
)


def run(root):
    from crossnet.pipeline.runner import run_pipeline

    return run_pipeline(load_config(None, SETTINGS), root)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("rot") / "root"
    assert run(root).exit_code == 0
    return root


def in_service(root):
    """The content of the newest version in service."""
    return folder_checksum(next(iter(versions_in_service(root / "serving_models" / "crossnet").values())))


def files(root):
    """The files that a run must not trust: of artifacts, checkpoints and versions in service."""
    found = [*root.glob("artifacts/*/[!.]*/**/*"), *root.glob("checkpoints/*/*")]
    found += root.glob("serving_models/crossnet/[0-9]*/**/*")
    return sorted(path for path in found if path.is_file())


def flip(file, random):
    content = bytearray(file.read_bytes() or b"?")
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    file.write_bytes(content)


def cut(file, random):
    os.truncate(file, random.randrange(max(file.stat().st_size, 1)))


def remove(file, random):
    file.unlink()


def lengthen(file, random):
    with file.open("ab") as stream:
        stream.write(random.randbytes(random.randrange(1, 100)))


def add(file, random):
    file.with_name(f"{file.name}.{random.randrange(100)}").write_bytes(file.read_bytes())


def swap(file, random):
    """Puts another file of the root in its place."""
    shutil.copyfile(random.choice([path for path in files(root_of(file)) if path != file]), file)


def root_of(file):
    return next(path for path in file.parents if path.name == "root")


def remove_folder(file, random):
    shutil.rmtree(file.parent)


CHANGES = (flip, flip, flip, cut, cut, remove, lengthen, add, swap, remove_folder)


@cases("rot", 100, short=0, says="a run mends damaged files and serves the same model")
def test_a_run_mends_what_was_damaged_and_serves_the_same(case, root):
    before, damaged = in_service(root), []
    for _ in range(case.random.choice((1, 1, 2, 4))):
        file, change = case.random.choice(files(root)), case.random.choice(CHANGES)
        damaged.append(f"{change.__name__} {file.relative_to(root)}")
        change(file, case.random)
    result = run(root)
    assert (result.exit_code, result.error) == (0, None), damaged
    assert in_service(root) == before, damaged
    found = verify(Store(root))
    assert all("/data_" in damage.file for _, damage in found.damaged), (damaged, found.damaged)
    if found.damaged:  # a shard, or its columns, that no step has read since
        with (store := Store(root)).locked():
            set_aside_damaged(store, found)
        assert run(root).exit_code == 0, damaged
    assert verify(Store(root)).damaged == [], damaged
    assert run(root).up_to_date, damaged
    assert in_service(root) == before, damaged
    case.count(damaged_files=len(damaged), set_aside=len(result.warnings), wrong_models=0)
