"""Checks that an odd CSV has the same features in training and in `predict`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.formats import make_reader
from support.example_gen_fixtures import all_rows, make_csv
from support.fake_server import FLOAT, INT64, STRING

TYPES = {"FLOAT": FLOAT, "INT": INT64, "BYTES": STRING}
ROWS = 'name; trip miles;n;when;y\n"Zoë;\n#1";1.5;7;2026-11-23;1\n#note;;;;\nb"c;-2;8;1970-01-01T01:00:00+01:00;2\n'


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (ROWS, {"delimiter": ";", "comment": "#"}),
        ('he said: "\n\n' + ROWS, {"delimiter": ";", "comment": "#", "skip_rows": 2, "encoding": "utf-16"}),
        (ROWS, {"delimiter": ";", "comment": "#", "encoding": "cp1252", "names": ["name", "b", "c", "d", "y"]}),
        ("\n".join(ROWS.split("\n")[1:]), {"delimiter": ";", "comment": "#", "header": False, "label": "column_5"}),
        ("name\ty\n'a\\'b'\t1\nc\\\td\t2\n", {"delimiter": "\\t", "quote": "'", "escape": "\\"}),
    ],
)
def test_odd_file_gives_the_same_features_in_training_and_in_a_request(
    tmp_path: Path, content: str, settings: dict[str, Any]
) -> None:
    data = content.encode(settings.get("encoding", "utf-8"))
    names = tuple(settings.pop("names", ()))
    examples = make_csv(tmp_path, data, names=names, **settings)
    features = [column for column in examples.properties["columns"] if column["name"] != examples.label]
    trained = [{column["name"]: row[column["name"]] for column in features} for row in all_rows(examples)]
    assert len(trained) == 2
    signature = Signature(
        "serving_default",
        "tensorflow/serving/predict",
        {column["name"]: TensorSpec(TYPES[column["type"]], (None,)) for column in features},
        {"prediction": TensorSpec(FLOAT, (None,))},
    )
    table = make_reader(io.BytesIO(data), "csv", "rides.csv", CsvFormat.of(examples.properties["settings"]))
    inputs = InputBuilder(table, signature, "`rides`", ignore_extra=True).build(list(table.rows()))
    asked = [dict(zip(inputs, row, strict=True)) for row in zip(*(v.tolist() for v in inputs.values()), strict=True)]
    assert asked == trained
