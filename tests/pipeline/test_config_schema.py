import re
import tomllib

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import SHIPPED, Config, as_values, load_config, make_config, setting_names
from crossnet.pipeline.config_schema import FIRST_LINE, SCHEMA_FILE, config_schema

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = config_schema()
VALIDATOR = jsonschema.Draft4Validator(SCHEMA)


def test_the_schema_is_one_and_knows_every_setting_with_its_meaning_and_default():
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    top = SCHEMA["properties"]
    names = [*top]
    for section, facts in top.items():
        assert facts["description"]
        names += [f"{section}.{key}" for key in facts.get("properties", ())]
    assert sorted(names) == sorted(setting_names())
    assert top["trainer"]["properties"]["epochs"]["default"] == Config().trainer.epochs
    assert f"#:schema ./{SCHEMA_FILE}" == FIRST_LINE


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda file: file.name)
def test_shipped_configs_and_written_ones_fit(file):
    VALIDATOR.validate(tomllib.loads(file.read_text()))
    VALIDATOR.validate(as_values(load_config(file)))


@pytest.mark.parametrize(
    "text",
    [
        "[trainer]\nepoch = 2",
        "[trainer]\nepochs = 0",
        "[trainer]\nepochs = 'many'",
        "[trainer]\noptimizer = 'adm'",
        "[evaluator]\nmax_rmse = -1",
        "[example_gen]\neval_fraction = 1.0",
        "models = ['dense', 'desne']",
        "num_workers = 'all'",
    ],
)
def test_what_a_run_refuses_does_not_fit(text):
    values = tomllib.loads(text)
    assert not VALIDATOR.is_valid(values)
    with pytest.raises(SettingsError):
        make_config(values)


@pytest.mark.parametrize(
    "text",
    [
        "[trainer]\nepochs = 'auto'",
        "[evaluator]\nmax_rmse = 'none'",
        "[evaluator]\nslices = [['a', 'b']]",
        "root = 'x'",
    ],
)
def test_words_and_lists_fit(text):
    VALIDATOR.validate(tomllib.loads(text))
    assert make_config(tomllib.loads(text))


def test_descriptions_hold_no_layout():
    texts = re.findall(r'"description": "(.*?)"', str(SCHEMA))
    assert all("\n" not in text for text in texts)
