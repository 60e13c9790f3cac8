from crossnet.pipeline.setting_rules import MAX_NAME_BYTES, MAX_TEXT_BYTES
from crossnet.pipeline.toml_text import MAX_BYTES, MAX_LEVELS
from crossnet.serving.protocol.limits import MAX_RECORD_BYTES, MAX_ROW_BYTES, mebibytes
from support import REPOSITORY


def test_limits_are_those_of_the_reference():
    page = (REPOSITORY / "docs" / "reference-limits.md").read_text(encoding="utf-8")
    for row in (
        f"| a row of a CSV, with all its cells, unpacked | {mebibytes(MAX_ROW_BYTES)} |",
        f"| a record of a TFRecord file, by the length in its header | {mebibytes(MAX_RECORD_BYTES)} |",
        f"| a config file | {mebibytes(MAX_BYTES)}; {MAX_LEVELS} levels in a key |",
        f"| a text setting | {MAX_TEXT_BYTES:,} bytes; {MAX_NAME_BYTES} in each name of a path |",
    ):
        assert row in page
