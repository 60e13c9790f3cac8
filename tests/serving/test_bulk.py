"""A large file that is answered in pieces has the bytes of one that is answered as a whole."""

import json
import pickle
import shutil

import pytest

from crossnet.components.engines.local import LocalEngine
from crossnet.serving import bulk
from crossnet.serving.bulk import predict_large_file
from crossnet.serving.predict import ModelAddress, RowFiles
from crossnet.serving.protocol.train_values import TRAIN_VALUES_FILE, TrainValues
from crossnet.serving.rows import pieces
from crossnet.serving.rows.unusual import Unusual
from crossnet.serving.status import InvalidRequestError, NotFoundError, RowsError
from support.predict_rows import predict_file

CSV = "x1,x0\n" + "".join(f"{n % 7}.5,{n}e-1\n" for n in range(500))
JSON = "".join(f'{{"x0": {n}, "x1": {n % 7}}}\n' for n in range(500))
QUOTED = CSV + '"1.5","2"\n' + CSV.partition("\n")[2]


@pytest.fixture
def pool(monkeypatch):
    """Runs jobs here, pickled as they are for a process; `jobs` are those that came."""
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    bulk._model.cache_clear()

    class Pool:
        def __init__(self):
            self.jobs = []

        def map(self, function, jobs):
            self.jobs += jobs
            return (pickle.loads(pickle.dumps(function))(*pickle.loads(pickle.dumps(job))) for job in jobs)

    yield Pool()
    bulk._model.cache_clear()


@pytest.fixture(scope="module")
def recorded_model(model_folder, tmp_path_factory):
    """The model, with a record of what it was trained on."""
    folder = tmp_path_factory.mktemp("recorded") / "12"
    shutil.copytree(model_folder / "12", folder)
    (folder / TRAIN_VALUES_FILE).parent.mkdir(exist_ok=True)
    (folder / TRAIN_VALUES_FILE).write_text(TrainValues({"x1": (0, 5)}).to_json())
    return folder


@pytest.fixture
def predict(pool, model_folder):
    def predict(rows, output, width=2, least_bytes=0, **options):
        files = RowFiles(rows, output, options.pop("format", None))
        address = ModelAddress(offline=options.pop("offline", model_folder))
        return predict_large_file(files, address, pool.map, width, least_bytes=least_bytes, **options)

    return predict


@pytest.mark.parametrize(
    ("name", "text", "in_pieces"),
    [
        ("rows.csv", CSV, True),
        ("bom.csv", "\ufeff" + CSV, True),
        ("crlf.csv", CSV.replace("\n", "\r\n"), True),
        ("open.csv", CSV.removesuffix("\n"), True),
        ("quoted.csv", QUOTED, True),
        ("blank.csv", CSV + "\n" + CSV.partition("\n")[2], True),
        ("header.csv", CSV.replace("x1", '"x1"', 1), False),
        ("rows.jsonl", JSON, True),
        ("blank.jsonl", JSON + " \n" + JSON, True),
    ],
)
def test_pieces_give_the_bytes_of_the_whole(predict, pool, rows, tmp_path, model_folder, name, text, in_pieces):
    path = rows(name, text)
    one, many, seen = tmp_path / f"one-{name}", tmp_path / f"many-{name}", []
    whole = predict_file(path, one, offline=model_folder, batch_size=30)
    cut = predict(path, many, batch_size=30, progress=seen.append)
    assert many.read_bytes() == one.read_bytes()
    assert (cut.rows, cut.versions, cut.not_finite) == (whole.rows, (12,), 0)
    assert (len(pool.jobs) > 3) is in_pieces
    assert seen == [*range(30, whole.rows, 30), whole.rows]


def test_values_beyond_those_of_training_are_counted_over_all_pieces(predict, pool, rows, tmp_path, recorded_model):
    path, judged = rows("rows.jsonl", JSON), []
    whole = predict_file(path, tmp_path / "one.jsonl", offline=recorded_model, batch_size=30)
    cut = predict(path, tmp_path / "many.jsonl", offline=recorded_model, batch_size=30, judge=judged.append)
    assert len(pool.jobs) > 3
    assert whole.unusual == cut.unusual == (Unusual("x1", "outside", 71, "6", f"{path}:7", "0 to 5"),)
    assert (judged, cut.recorded_in) == ([cut], recorded_model)


def test_a_wrong_row_is_named_by_its_line_and_nothing_is_written(predict, rows, tmp_path):
    lines = CSV.splitlines()
    lines[400] = "1.5,two"
    output = tmp_path / "out.csv"
    with pytest.raises(InvalidRequestError, match=r"rows\.csv:401"):
        predict(rows("rows.csv", "\n".join(lines)), output, batch_size=30)
    lines[300] = "1.5"
    with pytest.raises(RowsError, match=r"rows\.csv:301 has 1 cell"):
        predict(rows("rows.csv", "\n".join(lines)), output, batch_size=30)
    with pytest.raises(RowsError, match=r"rows\.csv:1002 has 3 cells"):  # behind the first quote
        predict(rows("rows.csv", QUOTED.rstrip("\n") + ",1\n"), output, batch_size=30)
    values = JSON.splitlines()
    values[450] = "[]"
    with pytest.raises(RowsError, match=r"rows\.jsonl:451 holds \[\]"):
        predict(rows("rows.jsonl", "\n".join(values)), tmp_path / "out.jsonl", batch_size=30)
    assert list(tmp_path.glob("out*")) == []


def test_small_files_and_those_that_cannot_be_cut_are_left_to_this_process(predict, pool, rows, tmp_path):
    import gzip

    packed = rows("rows.csv.gz", gzip.compress(CSV.encode()))
    for path, options in (
        (rows("rows.csv", CSV), {"width": 1}),
        (rows("small.csv", CSV), {"least_bytes": 1 << 20}),
        (packed, {}),
    ):
        assert predict(path, tmp_path / f"out-{path.name}", **options).rows == 500
    assert pool.jobs == []


def test_a_model_that_is_not_there_is_told_before_any_process_starts(predict, pool, rows, tmp_path):
    with pytest.raises(NotFoundError, match="No SavedModel is in"):
        predict(rows("rows.csv", CSV), tmp_path / "out.csv", offline=tmp_path)
    assert pool.jobs == []


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(rows, tmp_path, model_folder, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    path = rows("rows.jsonl", JSON)
    predict_file(path, tmp_path / "one.jsonl", offline=model_folder, batch_size=30)
    with LocalEngine(2) as engine:
        done = predict_large_file(
            RowFiles(path, tmp_path / "two.jsonl"),
            ModelAddress(offline=model_folder),
            engine.map,
            2,
            batch_size=30,
            least_bytes=0,
        )
    assert done.rows == 500
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert json.loads((tmp_path / "two.jsonl").read_text().splitlines()[499])["prediction"] == 519.0
