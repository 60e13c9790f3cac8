from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.tfrecord import mask_crc
from crossnet.serving.rows.formats import FORMATS, Csv, format_of, reader
from crossnet.serving.status import RowsError

ONE = {"prediction": np.array([0.1], np.float32)}


def read(content, kind):
    return list(reader(io.BytesIO(content), kind, "rows").rows())


def answered(content, kind, **outputs):
    """Returns the file written with the outputs added."""
    table, out = reader(io.BytesIO(content), kind, "rows"), io.BytesIO()
    table.writer(out).write(list(table.rows()), outputs)
    return out.getvalue()


def example(**features):
    built = messages.Example()
    for name, value in features.items():
        built.features.feature[name].float_list.value.append(value)
    return built.SerializeToString()


def tfrecords(tmp_path, *records):
    import tensorflow as tf

    path = str(tmp_path / "rows.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for record in records:
            writer.write(record)
    return (tmp_path / "rows.tfrecord").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "jsonl"),
        ("a.ndjson.gz", "jsonl"),
        ("A.CSV", "csv"),
        ("A.CSV.GZ", "csv"),
        ("a.tfrecord", "tfrecord"),
        ("data_tfrecord-00000-of-00004.gz", "tfrecord"),
        ("a.parquet", None),
    ],
)
def test_format_goes_by_the_name(name, kind):
    assert format_of(name) == kind
    assert kind is None or kind in FORMATS


def test_json_rows_have_their_line():
    rows = read(b'\xef\xbb\xbf{"a": 1}\n\n{"a": null, "b": "\xc3\xbc"}', "jsonl")
    assert [row[:2] for row in rows] == [("rows:1", {"a": 1}), ("rows:3", {"a": None, "b": "ü"})]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"a": 1}\n{"a": ', "rows:2 is no JSON: .*Expected one object per line"),
        (b"[1, 2]", r"rows:1 holds \[1, 2\]; expected an object"),
        (b"null", "rows:1 holds null; expected an object"),
        (b'{"a": "\xff"}', "rows:1 is no JSON"),
        (b"[" * 100_000, "rows:1 is no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "rows:1 is no JSON: a number of too many digits. Expected"),
        ("{}\u00a0".encode(), "rows:1 is no JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', 'rows:1 is no JSON: the key "a" stands twice'),
        (b"a,b\n1,2\n", "rows:1 is no JSON: .*another format is told by the file's name or by `--format`"),
        (b'"' + b"x" * 1000 + b'"', r'rows:1 holds "x{59}\.\.\.; expected an object'),
    ],
)
def test_lines_that_are_no_objects_are_told(content, sentence):
    with pytest.raises(RowsError, match=sentence):
        read(content, "jsonl")


def test_json_is_written_as_it_came_with_the_shortest_float32():
    written = answered(b'{"b": 1, "a": "\xc3\xbc"}\n', "jsonl", **ONE)
    assert written.decode() == '{"b": 1, "a": "ü", "prediction": 0.1}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 123456789012345678901234567890, "note": "\\ud800", "x": 1e400, "y": 1.50 }',
        b"{ }",
        b'{"nested": {"}": [1, {"a": "}"}]}}',
        '{"ü": NaN}'.encode(),
    ],
)
def test_json_comes_out_as_it_went_in_down_to_its_digits(line):
    written = answered(line + b"\n", "jsonl", **ONE)
    begin = line.removesuffix(b"}").rstrip()
    assert written == begin + (b"" if begin == b"{" else b", ") + b'"prediction": 0.1}\n'


def test_written_floats_are_read_back_as_the_same_float32():
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32) * np.float32(1e-7)
    written = answered(b"{}\n" * 500, "jsonl", prediction=values)
    read_back = np.array([json.loads(line)["prediction"] for line in written.splitlines()], np.float32)
    np.testing.assert_array_equal(read_back, values)


def test_json_has_null_for_nan_and_lists_for_vectors():
    outputs = {"a": np.array([math.nan, math.inf, 1.0], np.float32), "b": np.array([[1, 2]] * 3), "c": [b"x"] * 3}
    outputs["c"] = np.array(outputs["c"], object)
    lines = [json.loads(line) for line in answered(b"{}\n{}\n{}\n", "jsonl", **outputs).splitlines()]
    assert lines[0] == {"a": None, "b": [1, 2], "c": "x"}
    assert [line["a"] for line in lines] == [None, None, 1.0]


def test_csv_rows_have_their_physical_line():
    table = reader(io.BytesIO(b'\xef\xbb\xbfa,b\r\n"x\r\ny",1\r\n\r\n,2\r\n'), "csv", "rows")
    assert table.header == ["a", "b"]
    assert [tuple(row) for row in table.rows()] == [("rows:3", ["x\r\ny", "1"], ""), ("rows:5", ["", "2"], "")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "rows is empty; expected a header"),
        (b"a,b,a\n", "rows:1 has column `a` more than once"),
        (b"a,b\n1,2\n3\n", "rows:3 has 1 cells; the header has 2"),
        (b"a,b\n1,2,3\n", "rows:2 has 3 cells; the header has 2"),
        (b'a,b\n"1"x,2\n', "rows:2 cannot be read as CSV"),
        (b'a,b\n"' + b"x\n" * 70_000, "rows:.* has a cell of more than 131,072 characters. Is a quote left open?"),
        (b"a,b\n" + b"1,2\n" * 5000 + b"\xff,2\n", r"rows:5002 is no UTF-8: invalid start byte \(byte 0xff\)"),
        (b"a,b\r1,2\r\xff,2\r", "rows:3 is no UTF-8"),
        (b"\xef\xbb\xbfa\xff,b\n", r"rows:1 is no UTF-8: invalid start byte \(byte 0xff\)"),
        (b"\n\na,a\n", "rows:3 has column `a` more than once"),
    ],
)
def test_csv_that_is_broken_is_told_with_its_line(content, sentence):
    with pytest.raises(RowsError, match=sentence):
        read(content, "csv")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_csv_has_any_line_end_and_empty_lines_before_the_header(end):
    table = reader(io.BytesIO(end + b"a,b" + end + end + b"1,2" + end + b"3,4"), "csv", "rows")
    assert table.header_place == "rows:2"
    assert [tuple(row)[:2] for row in table.rows()] == [("rows:4", ["1", "2"]), ("rows:5", ["3", "4"])]


def test_csv_without_rows_keeps_its_header_and_names_the_outputs():
    stream = io.BytesIO()
    Csv(io.BytesIO(b"x\n"), "rows").writer(stream).begin(["b", "a"])
    assert stream.getvalue() == b"x,a,b\n"


def test_csv_has_text_as_text():
    zone = np.array(["nörd, süd".encode()], object)
    assert answered(b"x\n1\n", "csv", zone=zone).decode() == 'x,zone\n1,"nörd, süd"\n'


@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "\r"])
def test_csv_that_is_written_is_read_back(cell):
    quoted = '"' + cell.replace('"', '""') + '"'
    written = answered(f"note,x\n{quoted},1\n".encode(), "csv", zone=np.array([cell.encode()], object))
    table = reader(io.BytesIO(written), "csv", "written")
    assert table.header == ["note", "x", "zone"]
    assert [row.values for row in table.rows()] == [[cell, "1", cell]]


def test_csv_with_a_return_before_its_last_character_is_read():
    table = reader(io.BytesIO(b"x0\r1"), "csv", "rows")
    assert (table.header, [row.values for row in table.rows()]) == (["x0"], [["1"]])


@pytest.mark.parametrize(
    ("kind", "content", "values", "sentence"),
    [
        ("jsonl", b"{}\n", np.array([1j]), "Output `p` is complex128, for which JSON has no form"),
        ("tfrecord", None, np.array([1j]), "Output `p` is complex128, for which tf.train.Example has no form"),
        (
            "tfrecord",
            None,
            np.array([2**63], np.uint64),
            "Output `p` holds numbers beyond int64, the most of tf.train.Example",
        ),
    ],
)
def test_output_that_a_format_cannot_hold_is_told(tmp_path, kind, content, values, sentence):
    with pytest.raises(RowsError, match=sentence):
        answered(content or tfrecords(tmp_path, example(x=1.0)), kind, p=values)


def test_csv_is_written_with_a_column_more():
    written = answered(b'a,b\n"x,y",1\n', "csv", **ONE)
    assert written == b'a,b,prediction\n"x,y",1,0.1\n'


def test_csv_has_each_output_under_its_name_whatever_the_order_of_the_answers():
    stream = io.BytesIO()
    table = Csv(io.BytesIO(b"x\n1\n2\n3\n"), "rows")
    first, second, third = table.rows()
    writer = table.writer(stream)
    writer.write([first], {"b": np.array([10.0]), "a": np.array([1.0])})
    writer.write([second], {"a": np.array([2.0]), "b": np.array([20.0])})
    assert stream.getvalue() == b"x,a,b\n1,1.0,10.0\n2,2.0,20.0\n"
    with pytest.raises(RowsError, match=r"outputs changed on the way, from \['a', 'b'\] to \['a'\]"):
        writer.write([third], {"a": np.array([3.0])})


def test_csv_has_no_cell_for_a_vector():
    with pytest.raises(RowsError, match=r"Output `p` has shape \[1, 2\], no cell. Give the rows as JSON"):
        answered(b"a\n1\n", "csv", p=np.ones((1, 2)))


def test_tfrecords_written_by_tensorflow_are_read(tmp_path):
    records = [example(x=1.0), b"", example(x=2.0)]
    assert [tuple(row) for row in read(tfrecords(tmp_path, *records), "tfrecord")] == [
        (f"rows record {i}", record, "") for i, record in enumerate(records, 1)
    ]


def test_tfrecords_we_write_are_read_by_tensorflow(tmp_path):
    import tensorflow as tf

    written = answered(
        tfrecords(tmp_path, example(x=1.5)),
        "tfrecord",
        prediction=np.array([0.25], np.float32),
        zone=np.array([b"n"], "O"),
    )
    (tmp_path / "out").write_bytes(written)
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "out")).as_numpy_iterator()
    features = tf.train.Example.FromString(record).features.feature
    assert list(features["x"].float_list.value) == [1.5]
    assert list(features["prediction"].float_list.value) == [0.25]
    assert list(features["zone"].bytes_list.value) == [b"n"]


@pytest.mark.parametrize("cut", [1, 11, 13, 20])
def test_tfrecord_that_is_cut_short_is_told(tmp_path, cut):
    content = tfrecords(tmp_path, example(x=1.0))[:-1]
    with pytest.raises(RowsError, match="rows record 1 (has no valid length|is damaged or cut short)"):
        read(content[:cut], "tfrecord")


def test_tfrecord_with_a_flipped_bit_is_told(tmp_path):
    content = bytearray(tfrecords(tmp_path, example(x=1.0), example(x=2.0)))
    content[-6] ^= 1
    with pytest.raises(RowsError, match="rows record 2 is damaged"):
        read(bytes(content), "tfrecord")


def test_tfrecord_of_an_absurd_length_is_told_without_asking_for_the_memory():
    import google_crc32c

    length = (2**60).to_bytes(8, "little")
    masked = mask_crc(google_crc32c.value(length))
    with pytest.raises(RowsError, match="rows record 1 says that it has 1,152,921,504,606,846,976 bytes"):
        read(length + masked.to_bytes(4, "little"), "tfrecord")


def test_record_that_is_no_example_is_told(tmp_path):
    with pytest.raises(RowsError, match="rows record 1 is no tf.train.Example"):
        answered(tfrecords(tmp_path, b"\xff\xff"), "tfrecord", **ONE)


@pytest.mark.parametrize(
    ("content", "kind", "place"), [(b'{"prediction": 1}', "jsonl", "rows:1"), (b"prediction\n1\n", "csv", "rows:1")]
)
def test_answers_never_overwrite_what_is_there(content, kind, place):
    with pytest.raises(RowsError, match=f"{place} has `prediction` already"):
        answered(content, kind, **ONE)
