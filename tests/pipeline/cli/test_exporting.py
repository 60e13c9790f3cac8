from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from crossnet.pipeline.cli import cli


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["export", *arguments])
    return result.exit_code, result.output


def test_a_root_without_a_model_ends_with_1_and_a_sentence(tmp_path: Path) -> None:
    code, said = call("--root", str(tmp_path), "--format=onnx", "-o", str(tmp_path / "m.onnx"))
    assert (code, said.count("\n")) == (1, 1)
    assert "serving_models` does not have a model in service. Name one with --model" in said


def test_format_and_file_must_be_named_and_a_tolerance_is_not_negative() -> None:
    assert call("-o", "m.onnx")[0] == 2
    assert call("--format=onnx")[0] == 2
    code, said = call("--format=onnx", "-o", "m.onnx", "--tolerance=-1")
    assert (code, "--tolerance" in said) == (2, True)
