"""Tests of the benchmark of real tables that need none of its packages."""

import numpy as np
import pytest

from benchmarks.real_tables import measure
from benchmarks.real_tables.kept import Kept
from benchmarks.real_tables.measure import AS_WRITTEN, Workplace, with_validation
from benchmarks.real_tables.page import render
from benchmarks.real_tables.rivals import EARLY, EVAL, TRAIN, VALIDATION, mean, read_task
from benchmarks.real_tables.sources import TABLES, Table
from benchmarks.real_tables.summary import collect, goals, served_goals
from benchmarks.tables import main

DROPPED = 3


def result(ours, *, rows=1000, exit_code=0, cpu=20.0, coverage=None, **rivals):
    facts = {"exit_code": exit_code, "cpu": cpu, "rmse": ours, "train_rmse": ours, "coverage": coverage}
    facts["rows"] = {"train": rows * 9 // 10, "eval": rows // 10}
    errors = {"mean": 1.0, "ridge": 0.8, "catboost": 0.5, **dict.fromkeys(EARLY, 0.6), **rivals}
    return {"ours": facts, **{name: {"rmse": error, "cpu": 0.1} for name, error in errors.items()}}


def reached(found):
    return {row.case.partition(",")[0]: (row.ours, row.met) for row in goals(collect(found))}


def test_goals_compare_means_over_the_splits():
    small = {("a", 1): result(0.4), ("a", 2): result(0.6)}  # mean 0.5; the best early 0.6
    large = {("b", 1): result(0.7, rows=20_000, coverage=0.9), ("b", 2): result(0.7, rows=20_000, coverage=0.92)}
    found = reached(small | large)
    assert found["mean of RMSE / deviation"] == (pytest.approx(0.6), False)  # CatBoost: 0.5
    assert found["median of RMSE / that of the best"] == (pytest.approx(1.0), True)  # 0.5 / 0.6 and 0.7 / 0.6
    assert found["worst table of 3"] == (pytest.approx(0.7 / 0.6), False)  # "3,000 rows or more"
    assert found["worst table beside ridge and the mean"] == (pytest.approx(0.7 / 0.8), True)
    assert found["a: CPU of init and run"] == (20.0, False)
    assert "b: CPU of init and run" not in found
    assert found["b: share of eval rows in the 95 % interval"] == (pytest.approx(0.91), False)


def test_the_split_that_init_writes_counts_for_the_exit_code_alone():
    found = {("a", AS_WRITTEN): result(9.0, exit_code=3), ("a", 1): result(0.5)}
    assert collect(found)[0].mean("ours") == 0.5
    rows = {row.case: (row.ours, row.met) for row in goals(collect(found))}
    assert rows["tables whose run as `init` writes it exits with 0, of 1"] == (0, True)
    assert rows["runs that exit with 0, of 2"] == (1, None)


def test_tables_with_fewer_splits_are_named():
    found = {("cars", split): result(0.5) for split in (1, 2, 3)} | {("flights", 1): result(0.2)}
    several = collect(found)
    said = "\nMeasured on fewer random splits than the 3 of the others: `flights` (1).\n"
    assert said in render(REPORT, several, [])
    assert "fewer" not in render(REPORT, [table for table in several if table.name == "cars"], [])


def test_a_table_on_which_nothing_was_trained_misses_the_goals():
    found = collect({("cars", 1): {"ours": result(None, exit_code=1)["ours"]}, ("ames", 1): result(0.5)})
    rows = {row.case: row for row in goals(found)}
    assert rows["runs that exit with 0, of 2"].ours == 1
    assert rows["tables on which a run trained nothing"].met is False
    page = render(REPORT, found, list(rows.values()))
    assert "\n| cars |" in page
    assert "nothing trained" in page
    assert "Nothing was measured." in page
    assert "Not measured yet at this commit: `penguins`, `diabetes`, `concrete`, " in page


REPORT = {"date": "2026-11-30T02:00+00:00", "command": "python -m benchmarks.tables --page docs/tables.md"}
REPORT |= {"versions": {"tensorflow": "2.21.0"}, "folds": False, "settings": [], "dates": (), "served": {}}


def lines_of(page, heading):
    """The cells of a section's table, by the first one."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in section.splitlines() if line.startswith("| ")}) == 1, heading
    return {cells[0]: cells[1:] for cells in lines}


def test_the_page_says_when_where_and_how_and_what_each_column_means():
    found = {("cars", split): result(error, cpu=cpu, coverage=0.95) for split, error, cpu in SPLITS}
    found[("cars", AS_WRITTEN)] = result(0.6, exit_code=3)
    served = {"cars": {"1": {"ours": 300.0, "other": 250.0, "ratio": 1.2, "scatter": 0.01}}}
    served["cars"]["1000"] = {"ours": 1400.0, "other": 400.0, "ratio": 3.5, "scatter": 0.02}
    measured = {
        "dates": ("2026-11-28", "2026-11-29"),
        "loads": (0.5, 3.0),
        "commits": ["1234567"],
        "machines": ["2 cores"],
    }
    tables = collect(found)
    page = render(REPORT | measured | {"served": served}, tables, [*goals(tables), *served_goals(served)])
    assert "Written by `python -m benchmarks.tables --page docs/tables.md` on 2026-11-30." in page
    assert "Measured from 2026-11-28 to 2026-11-29 at 1234567 on 2 cores, beside other work (load 0.5 to 3.0)," in page
    errors, costs = lines_of(page, "Error"), lines_of(page, "CPU seconds, exit codes and intervals")
    assert errors["table"][:3] + errors["table"][-2:] == [
        "package",
        "rows: train, eval",
        "ours",
        "ours / best early",
        "as written",
    ]
    assert errors["cars"][:3] == ["vega_datasets", "900, 100", "0.500 ± 0.141"]
    assert errors["cars"][-2:] == ["0.833", "0.600"]
    assert costs["table"][0] == "ours"
    assert costs["cars"][0] == "9.0"
    assert costs["cars"][-2:] == ["3, 0, 0", "0.950"]
    assert lines_of(page, "CPU of a call to the server")["cars"] == ["1,000", "1400", "400", "3.50"]  # the last of two
    reached = lines_of(page, "Goals")
    assert reached["runs that exit with 0, of 3"] == ["2", "", "", "", "", ""]
    assert reached["cars: CPU of init and run"] == ["9", "", "", "<= 10 CPU s", "yes", ""]
    assert reached["cars: server's CPU of a call of 1 row"][2:5] == ["1.2", "<= 3", "yes"]
    assert reached["cars: server's CPU of a call of 1,000 rows"][2:5] == ["3.5", "<= 3", "**NO**"]
    explained = page.replace("\n", " ")
    for column in (
        "package",
        "rows",
        "ours",
        "as written",
        "ours / best early",
        "exit codes",
        "in the interval",
        "early",
    ):
        assert f"*{column}*" in explained, column
    free = ("|", "Measured", "Written", "Not measured")
    assert max(len(line) for line in page.splitlines() if not line.startswith(free)) <= 120


SPLITS = ((1, 0.4, 8.0), (2, 0.6, 10.0))  # seed, error, CPU seconds


def test_a_page_of_what_was_kept_takes_the_newest_and_measures_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measure, "_product", lambda: pytest.fail("was measured"))
    kept, facts = Kept(tmp_path / "results.jsonl"), {"commit": "1234567", "load": 1.0, "machine": "2 cores"}
    for day, error in (("2026-11-28", 0.9), ("2026-11-29", 0.25)):
        kept.add(day, result(error), table="cars", split=1, date=day, **facts)
    kept.add(
        "s", {"1": {"ours": 2.0, "other": 1.0, "ratio": 2.0, "scatter": 0.1}}, table="cars", date="2026-11-29", **facts
    )
    page = tmp_path / "page.md"
    main(["--kept", "--results", str(tmp_path / "results.jsonl"), "--work", str(tmp_path), "--page", str(page)])
    assert "| cars | vega_datasets | 900, 100 | 0.250 ± 0.000 |" in page.read_text()
    assert "| cars | 1 | 2 | 1 | 2.00 |" in page.read_text()
    assert "Measured from 2026-11-29 to 2026-11-29 at 1234567 on 2 cores" in page.read_text()


def test_validation_rows_are_an_eighth_of_train_and_nothing_else():
    codes = np.array([TRAIN] * 800 + [EVAL] * 100 + [DROPPED] * 10, np.uint8)
    found = with_validation(codes)
    assert (found == VALIDATION).sum() == 100
    assert (found[800:] == codes[800:]).all()
    assert (codes == TRAIN).sum() == 800


def test_rivals_read_dates_as_seconds_and_text_with_the_values_of_train(tmp_path):
    (tmp_path / "t.csv").write_text("day,place,n,y\n2020-01-01,a,1,10\n2020-01-02,b,,20\n1970-01-02,c,3,90\n,a,4,\n")
    task = read_task(tmp_path / "t.csv", np.array([TRAIN, VALIDATION, EVAL, DROPPED], np.uint8), "y")
    assert task.evaluation.x["day"].tolist() == [86400.0]
    assert task.evaluation.x["place"].isna().all()
    assert list(task.train.x["place"].cat.categories) == ["a", "b"]
    assert (len(task.train.y), task.fit.y.tolist(), task.validation.y.tolist()) == (2, [10.0], [20.0])
    assert mean(task).tolist() == [15.0]


def test_results_go_on_from_the_file_that_an_earlier_day_left(tmp_path):
    first = Kept(tmp_path / "results.jsonl")
    assert first.get("a") is None
    first.add("a", {"ours": {"rmse": 0.5}}, table="cars", split=1)
    later = Kept(tmp_path / "results.jsonl")
    assert later.get("a") == {"ours": {"rmse": 0.5}}
    later.add("b", {"ours": {"rmse": 0.25}}, table="cars", split=2)
    assert [line["split"] for line in later.used] == [1, 2]
    assert [line["key"] for line in first.used] == ["a"]
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


def test_the_key_of_a_result_follows_the_rows_the_split_and_the_source(unreadable, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_product", lambda: "product")
    keys = {Workplace(tmp_path, settings).key("cars", split) for settings in ((), ("a=1",)) for split in (1, 2)}
    assert len(keys) == 4
    assert Workplace(tmp_path).key("cars", 1) in keys
    monkeypatch.setattr(measure, "_product", lambda: "another")
    assert Workplace(tmp_path).key("cars", 1) not in keys


@pytest.fixture
def unreadable(monkeypatch):
    """A table that `init` refuses: it has no such label."""
    frame = pytest.importorskip("pandas").DataFrame({"x": [1, 2, 3], "y": [1, 2, 3]})
    monkeypatch.setitem(TABLES, "cars", Table("z", "nobody's", lambda: frame))


def test_a_run_that_fails_is_a_result_with_its_last_words(unreadable, tmp_path):
    found = Workplace(tmp_path).measure("cars", AS_WRITTEN)
    assert [*found] == ["ours"]  # nothing for rivals to train on
    assert (found["ours"]["exit_code"], found["ours"]["rmse"]) == (2, None)
    assert "`z`" in found["ours"]["problem"]
    assert Workplace(tmp_path).measure("cars", AS_WRITTEN) == found  # as it was kept


@pytest.mark.slow
def test_a_run_says_its_error_and_what_its_interval_holds(tmp_path):
    rows = [f"{i % 50},{i % 7},{3 * (i % 50) + i % 7 + i * i % 11}" for i in range(300)]
    csv = tmp_path / "rows.csv"
    csv.write_text("\n".join(["x,z,y", *rows]) + "\n")
    (tmp_path / "run").mkdir()
    found, codes = measure._measure_ours(csv, "y", tmp_path / "run", ())
    assert found.exit_code in (0, 3)
    assert found.rmse < 0.2
    assert 0.5 < found.coverage <= 1
    assert found.rows == {"train": (codes == measure.TRAIN).sum(), "eval": (codes == measure.EVAL).sum()}


def test_a_result_of_a_source_that_changed_meanwhile_is_not_kept(unreadable, tmp_path, monkeypatch):
    digests = iter("ab")
    monkeypatch.setattr(measure, "_product", lambda: next(digests))
    with pytest.raises(RuntimeError, match="source changed while it was measured"):
        Workplace(tmp_path).measure("cars", AS_WRITTEN)
    assert list((tmp_path / "ours").iterdir()) == []


def test_folds_of_a_table_that_cannot_be_read_stop_with_the_last_words(unreadable, tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)cars cannot be split, exit 2: .*`z`"):
        Workplace(tmp_path, folds=True).measure("cars", 1)


def test_a_page_is_of_unedited_runs_alone(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["--page", str(tmp_path / "page.md"), "--set", "trainer.epochs=1"])
    assert "leave out --folds and --set" in capsys.readouterr().err


def test_an_unknown_table_is_named_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["--tables", "cars,moon"])
    assert "unknown: moon; there are: penguins, cars" in capsys.readouterr().err
