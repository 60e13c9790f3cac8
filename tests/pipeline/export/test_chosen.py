from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossnet.components.errors import ExportError, MissingArtifactError
from crossnet.pipeline.export.chosen import Chosen, answers, choose
from crossnet.pipeline.store import Store
from support.converted_models import in_memory


def version(root: Path, name: str, number: int, model: str = "") -> Path:
    folder = root / "serving_models" / name / str(number)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    if model:
        (folder.parent / f"{number}.json").write_text(json.dumps({"version": number, "model": model}))
    return folder


def test_the_newest_version_of_the_one_model_is_the_default(tmp_path: Path) -> None:
    version(tmp_path, "rides", 9)
    newest = version(tmp_path, "rides", 10, "abc")
    assert choose(Store(tmp_path), None, None) == Chosen(newest, "version 10 of `rides`", "abc")
    assert choose(Store(tmp_path), "rides", 9) == Chosen(newest.parent / "9", "version 9 of `rides`", None)
    assert choose(Store(tmp_path / "other"), str(newest.parent), None).path == newest
    assert choose(Store(tmp_path / "other"), str(newest), None) == Chosen(newest, "version 10 of `rides`", "abc")


def test_a_trained_model_is_named_by_its_folder(tmp_path: Path) -> None:
    serving = tmp_path / "0123abcd" / "Format-Serving"
    serving.mkdir(parents=True)
    (serving / "saved_model.pb").touch()
    expected = Chosen(serving, "Model 0123abcd", "0123abcd")
    assert choose(Store(tmp_path), str(serving.parent), None) == expected
    assert choose(Store(tmp_path), str(serving), None).fingerprint == "0123abcd"
    with pytest.raises(MissingArtifactError, match="is one model, without versions. Received --version=3"):
        choose(Store(tmp_path), str(serving.parent), 3)


def test_what_is_not_there_or_not_clear_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(
        MissingArtifactError, match="does not have a model in service. Name one with --model, or push one"
    ):
        choose(store, None, None)
    version(tmp_path, "rides", 1)
    version(tmp_path, "trips", 2)
    with pytest.raises(
        MissingArtifactError, match="has several models in service: rides, trips. Name one with --model"
    ):
        choose(store, None, None)
    with pytest.raises(MissingArtifactError, match="`ride` is neither a folder nor .* Did you mean `rides`?"):
        choose(store, "ride", None)
    with pytest.raises(
        MissingArtifactError, match="`rides` does not have version 7 in service. There are: 1. Name one"
    ):
        choose(store, "rides", 7)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingArtifactError, match="holds neither a SavedModel nor versions of one"):
        choose(store, str(tmp_path / "empty"), None)


def test_without_rows_nothing_can_be_compared(tmp_path: Path) -> None:
    exported, _ = in_memory("numbers")
    with pytest.raises(ExportError, match="Rows to compare answers on are missing: no run in .* made version 3 of `m`"):
        answers(Store(tmp_path), Chosen(tmp_path, "version 3 of `m`", "abc"), exported)
