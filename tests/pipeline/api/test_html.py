from pathlib import Path

from crossnet.pipeline.api.html import run_html
from crossnet.pipeline.run_record import RunRecord

MODELS = {"dense": {"num_parameters": 1234, "train_rmse": 0.5, "eval_rmse": None}}


def test_a_run_shows_verdict_reasons_and_models(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    record = RunRecord(
        run="one",
        verdict="BLESSED",
        champion="dense",
        pushed_version=3,
        models=MODELS,
        warnings=tuple(f"`column_{i}` is odd." for i in range(8)),
    )
    page = run_html(record, tmp_path)
    assert '<b style="color:#1a7f37">BLESSED</b> run <code>one</code>: <code>dense</code> passed every rule' in page
    assert "<li><code>column_5</code> is odd.</li><li>2 more sentences in run.json.</li>" in page
    assert "<td>dense</td><td>1,234</td><td>0.5</td><td>-</td><td>champion</td>" in page
    assert f"Report: <code>{tmp_path / 'report.html'}</code>" in page


def test_names_cannot_add_to_the_page(tmp_path: Path) -> None:
    page = run_html(RunRecord(run="a<b>\x1b", error="`<script>` failed", exit_code=1, models={}), tmp_path)
    assert "<script>" not in page
    assert "a&lt;b&gt;" in page
    assert "\x1b" not in page
    assert "<table>" not in page
