import json
import os

import pytest

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.integrity import UNVERIFIABLE, Checks, checksums, content_digest, damage, sealed
from crossnet.components.artifacts.model import Model
from crossnet.components.files import read_json, write_json

SHARD = "Split-train/data_tfrecord-00000-of-00001"


@pytest.fixture
def folder(tmp_path):
    """An artifact with a shard, a text and an empty folder."""
    folder = tmp_path / "ab12"
    (folder / "assets").mkdir(parents=True)
    (folder / "Split-train").mkdir()
    (folder / SHARD).write_bytes(b"0123456789")
    (folder / "schema.pbtxt").write_text("feature")
    write_json(folder / ARTIFACT_FILE, sealed({"type": "Examples", "counts": {"train": 1.5}, **checksums(folder)}))
    return folder


def words(folder, **options):
    return [str(item) for item in Checks().damage(folder, **options)]


def test_a_whole_artifact_has_no_damage(folder):
    assert damage(folder) == damage(Model(folder)) == []
    facts = read_json(folder / ARTIFACT_FILE)
    assert facts["files"][SHARD]["size"] == 10
    assert facts["folders"] == ["Split-train", "assets"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: (f / "schema.pbtxt").write_text("featurf"), "`schema.pbtxt` has SHA-256 "),
        (lambda f: os.truncate(f / SHARD, 7), f"`{SHARD}` has 7 bytes, expected 10 bytes"),
        (lambda f: (f / SHARD).unlink(), f"`{SHARD}` is not there, expected 10 bytes"),
        (lambda f: (f / "assets" / "x").touch(), "`assets/x` is there, expected nothing of that name"),
        (lambda f: (f / "Split-test").mkdir(), "`Split-test/` is there, expected nothing of that name"),
        (lambda f: (f / "assets").rmdir(), "`assets/` is not there, expected a folder"),
        (lambda f: (f / ARTIFACT_FILE).unlink(), "`artifact.json` is not there, expected the record of the artifact"),
        (lambda f: (f / ARTIFACT_FILE).write_text("{"), "`artifact.json` cannot be read ("),
        (lambda f: (f / ARTIFACT_FILE).write_text("[]"), "`artifact.json` cannot be read (it holds list instead"),
    ],
    ids=["flip", "cut", "remove", "add", "add folder", "remove folder", "no record", "half a record", "no object"],
)
def test_whatever_was_changed_is_named_with_what_was_expected(folder, change, sentence):
    change(folder)
    (found,) = words(folder, shards=False)
    assert found.startswith(sentence)


def test_a_file_that_became_a_link_is_damage(folder, tmp_path):
    (folder / "schema.pbtxt").rename(tmp_path / "elsewhere")
    (folder / "schema.pbtxt").symlink_to(tmp_path / "elsewhere")
    assert words(folder) == ["`schema.pbtxt` is not a plain file, expected 7 bytes"]


def test_every_byte_of_the_record_counts(folder):
    facts = read_json(folder / ARTIFACT_FILE)
    facts["counts"]["train"] = 2.5
    write_json(folder / ARTIFACT_FILE, facts)
    assert words(folder) == ["`artifact.json` was changed after it was written, expected what its seal stands for"]
    del facts["files"]
    write_json(folder / ARTIFACT_FILE, facts)
    assert words(folder) == ["`artifact.json` is not a record, expected the record of the artifact"]


def test_shards_are_hashed_only_where_it_is_asked_for(folder):
    (folder / SHARD).write_bytes(b"0123456780")
    assert words(folder, shards=False) == []
    (found,) = words(folder)
    assert found.startswith(f"`{SHARD}` has SHA-256 ")


def test_an_artifact_of_an_older_version_is_not_verifiable(folder):
    write_json(folder / ARTIFACT_FILE, {"type": "Examples"})
    assert damage(folder) == [UNVERIFIABLE]
    assert content_digest({"type": "Examples"}) == ""


def test_a_file_is_hashed_again_only_when_it_was_touched(folder):
    checks = Checks()
    for _ in range(2):
        assert checks.damage(folder) == []
        assert checks.hashed == 17
    (folder / SHARD).write_bytes(b"0123456780")
    assert len(checks.damage(folder)) == 1
    assert checks.hashed == 27


def test_content_is_equal_for_equal_files_whatever_else_the_record_says(folder):
    facts = read_json(folder / ARTIFACT_FILE)
    assert content_digest(facts) == content_digest(facts | {"created_at": "later"})
    (folder / SHARD).write_bytes(b"0123456780")
    assert content_digest(facts | checksums(folder)) != content_digest(facts)


def test_content_of_a_model_is_its_export(tmp_path):
    (tmp_path / "Format-Serving").mkdir()
    digests = []
    for model, history in (("a", "1 s"), ("a", "2 s"), ("b", "2 s")):
        (tmp_path / "Format-Serving" / "saved_model.pb").write_text(model)
        (tmp_path / "history.json").write_text(history)
        digests.append(content_digest({"type": "Model", **checksums(tmp_path)}))
    assert digests[0] == digests[1] != digests[2]


def test_seal_is_the_same_after_the_record_was_written_and_read(tmp_path):
    facts = sealed({"b": (1, 2.5e-17), "a": float("nan"), "ä": "…"})
    write_json(tmp_path / "x.json", facts)
    assert sealed(read_json(tmp_path / "x.json")) == facts == json.loads(json.dumps(facts))
