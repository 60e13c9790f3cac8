"""Cells, headers and names hold terminal escapes and HTML: a screen and a page show them, and nothing obeys them."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from crossnet.pipeline.cli import cli
from crossnet.serving.protocol.header_names import feature_name

ESCAPE = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"
HTML = "<script>alert(1)</script>"
HEADER = f"zone {HTML}{ESCAPE}"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@pytest.fixture
def crossnet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{n % 7},{HTML}{ESCAPE}{n % 3},{n % 5}.5" for n in range(200)]
    (tmp_path / "rides.csv").write_text("\n".join([f'x,"{HEADER}",y', *rows]), encoding="utf-8")
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "csv"\ninput = "rides.csv"\nlabel = "y"\nsplit = "hash"\n[evaluator]\nmax_rmse = 1.0\n'
        'max_mean_ratio = "none"\nmax_linear_ratio = "none"\n'
    )

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(cli, arguments, prog_name="crossnet")
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.stdout + done.stderr

    return call


def test_error_that_quotes_a_header_shows_its_escapes(crossnet):
    text = crossnet("init", "rides.csv", "--label", "nosuch")
    assert r"\x1b]0;owned\x07\x1b[2J\u202e\x9b31m" in text
    assert not HARMFUL.search(text)


def test_error_that_quotes_a_cell_shows_its_escapes(crossnet):
    text = crossnet("run", "--config", "rides.toml", "--set", f"example_gen.label={feature_name(HEADER, 2)}")
    assert r"\x1b]0;owned\x07" in text
    assert not HARMFUL.search(text)


def test_arguments_in_a_usage_error_are_escaped(crossnet):
    for arguments in (["no\x1b[31m"], ["runs", "--no\x1b[31m"], ["init", "a", "b\x1b[31m"], ["why", "no\x1b[31m"]):
        text = crossnet(*arguments)
        assert r"\x1b[31m" in text or "Missing option" in text
        assert not HARMFUL.search(text)


def test_report_of_such_a_table_runs_no_script_and_holds_no_escape(crossnet, tmp_path):
    text = crossnet("run", "--config", "rides.toml", "--until", "example_validator", "--verbose")
    assert not HARMFUL.search(text)
    (report,) = tmp_path.glob("crossnet_root/runs/*/report.html")
    page = report.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert not HARMFUL.search(page)


def test_names_and_reasons_that_are_not_utf8_are_refused_in_words(crossnet, tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "rides.csv").rename(tmp_path / "odd" / "r\udcff\x1b[31m.csv")
    name = r"odd/r\\udcff\\x1b\[31m.csv"
    text = crossnet("run", "--config", "rides.toml", "--set", "example_gen.input=odd/*.csv", "--until", "example_gen")
    assert re.search(rf"The name of `.*{name}` is not UTF-8. Rename the file or its folder.", text)
    text = crossnet("init", "odd/r\udcff\x1b[31m.csv", "--label", "y")
    assert re.search(rf"The name of `{name}` is not UTF-8", text)
    for arguments in (
        ["runs", "--root", "a\udcff"],
        ["run", "--force", "a\udcff"],
        ["rollback", "--reason", "a\udcff"],
    ):
        assert r"expected text in UTF-8; received 'a\udcff'." in crossnet(*arguments)
