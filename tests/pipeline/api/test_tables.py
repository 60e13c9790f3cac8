from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import PipelineError
from crossnet.components.sources.provenance import source_row, source_rows
from crossnet.pipeline.api.calls import run
from crossnet.pipeline.api.tables import example_table
from crossnet.pipeline.report.run import load_run
from crossnet.pipeline.store import Store


def examples(root: Path, rows: int = 300, **settings: object) -> Examples:
    table = root / "rows.csv"
    cells = [f"{i},a{i % 5}" if i % 7 else f"{i}," for i in range(rows)]
    table.write_text("y,name\n" + "\n".join(cells) + "\n")
    chosen = {"source": "csv", "input": table, "test_fraction": 0.2, "num_shards": 2, **settings}
    made = run({"example_gen": chosen}, root=root / "root", until="example_gen", quiet=True)
    found = load_run(Store(made.root), made.name).get(Examples, "example_gen")
    assert found is not None
    return found


@pytest.mark.parametrize("split", ["hash", "order"])
def test_every_record_has_the_row_of_its_source(tmp_path: Path, split: str) -> None:
    found = examples(tmp_path, split=split)
    for name in found.all_splits:
        rows = source_rows(found, name).tolist()
        assert rows == [source_row(found, name, record) for record in range(found.counts[name])]
        # The label of a row is its number.
        assert example_table(found, name).to_arrow()["y"].to_pylist() == rows


def test_a_missing_value_is_null(tmp_path: Path) -> None:
    table = example_table(examples(tmp_path), "train").to_arrow()
    assert table.schema.field("name").type == pa.large_string()
    assert all((row["name"] is None) == (row["y"] % 7 == 0) for row in table.to_pylist())


def test_without_pandas_the_sentence_names_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = example_table(examples(tmp_path), "train")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PipelineError, match=r"^`to_pandas` needs pandas, which is not installed\. Install it with"):
        rows.to_pandas()
