import tomllib

import pytest

from crossnet.pipeline.init.toml_lines import toml_line


@pytest.mark.parametrize(
    "value",
    ["a", 'quotes " and \\', "\t", "\x1b[31m", ["", "NA"], [], {"a b": "%d.%m.%Y", 'c"d': "x"}, True, 3, 0.5, {}],
)
def test_a_line_of_toml_holds_the_value(value):
    line = toml_line("key", value)
    assert "\n" not in line
    assert tomllib.loads(line) == {"key": value}
