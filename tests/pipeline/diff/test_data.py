from crossnet.pipeline.diff.data import compare_data
from crossnet.pipeline.report.run import Run
from crossnet.pipeline.run_record import RunRecord, StepRecord


def test_a_run_without_rows_says_why_they_cannot_be_compared():
    graph = {"example_gen": ()}
    failed = RunRecord(run="a", graph=graph, steps={"example_gen": StepRecord(status="failed")})
    runs = [Run("a", failed, "", {}), Run("b", RunRecord(run="b", graph=graph), "", {})]
    notes = []
    assert compare_data(*runs, notes) == {"same": None, "rows": [], "columns": [], "drift": []}
    assert notes == [
        "The rows of run a cannot be compared: `example_gen` failed.",
        "The rows of run b cannot be compared: `example_gen` was not reached.",
    ]
