import pytest

from crossnet.components.artifacts.base import ARTIFACT_FILE, Artifact, Outcome, split_folder
from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import write_json
from support.damage import DAMAGES


class Toy(Artifact):
    """A finished folder of a toy."""


def write(folder, **changes):
    facts = {"type": "Toy", "format": 1, "counts": {"rows": 3}, "properties": {"label": "y"}, "fingerprint": "ab"}
    write_json(folder / ARTIFACT_FILE, facts | changes)
    return folder


def test_artifact_is_read_as_it_was_written(tmp_path):
    toy = Toy.load(write(tmp_path))
    assert toy == Toy(tmp_path, {"rows": 3}, {"label": "y"}, "ab")


def test_artifact_that_is_not_finished_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(MissingArtifactError, match=r"No finished Toy in .*it has no artifact\.json\. Make it again"):
        Toy.load(tmp_path)
    with pytest.raises(MissingArtifactError, match="No finished Toy"):
        Toy.load(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_artifact_that_cannot_be_read_is_refused_with_what_to_do(tmp_path, damage):
    damage.apply(write(tmp_path) / ARTIFACT_FILE)
    with pytest.raises(MissingArtifactError) as caught:
        Toy.load(tmp_path)
    assert str(caught.value).startswith(f"`{tmp_path / ARTIFACT_FILE}` cannot be read: {damage.reason}")
    assert str(caught.value).endswith(" Make the artifact again with `crossnet run`.")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"counts": []}, "`counts` is list, expected dict"), ({"fingerprint": 7}, "`fingerprint` is int, expected str")],
)
def test_artifact_whose_record_has_wrong_types_is_refused(tmp_path, changes, reason):
    with pytest.raises(MissingArtifactError, match=f"cannot be read: {reason}\\. Make the artifact again"):
        Toy.load(write(tmp_path, **changes))


def test_artifact_whose_record_lacks_something_is_refused(tmp_path):
    write_json(tmp_path / ARTIFACT_FILE, {"type": "Toy"})
    with pytest.raises(MissingArtifactError, match="cannot be read: `format` is missing, expected int"):
        Toy.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "found"), [({"type": "Examples"}, "Examples (format 1)"), ({"format": 2}, "Toy (format 2)")]
)
def test_artifact_of_another_type_or_format_is_refused(tmp_path, changes, found):
    with pytest.raises(MissingArtifactError) as caught:
        Toy.load(write(tmp_path, **changes))
    assert f"holds {found}, expected Toy (format 1)" in str(caught.value)


def test_artifact_without_a_verdict_passes_and_adds_nothing_to_the_run(tmp_path):
    toy = Toy(tmp_path, {"eval": 1000, "train": 9000})
    assert toy.passes()
    assert toy.is_current
    assert toy.outcome() == Outcome()
    assert toy.headline == "eval 1,000, train 9,000"


def test_split_folder_is_named_as_in_tfx(tmp_path):
    assert split_folder(tmp_path, "train") == tmp_path / "Split-train"
