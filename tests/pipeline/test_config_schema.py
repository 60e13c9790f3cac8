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


OWN = """
from dataclasses import dataclass
from crossnet import setting


@dataclass(frozen=True, kw_only=True)
class Plain:
    \'\'\'One layer.\'\'\'

    width: int = setting(2, "units", least=1)

    def network(self, x, dtype):
        return x


MODEL_KINDS = {"schema_plain": Plain}
"""
WITH_PLUGINS = 'plugins = ["schema_own"]\nmodels = ["schema_plain", "dense"]\n[schema_plain]\nwidth = 3\n'


def test_a_config_with_plugins_may_have_kinds_and_sections_of_its_own():
    VALIDATOR.validate(tomllib.loads(WITH_PLUGINS))
    for text in ('plugins = ["a"]\n[trainer]\nepochs = 0', WITH_PLUGINS.partition("\n")[2]):
        assert not VALIDATOR.is_valid(tomllib.loads(text))


def test_settings_of_plugins_are_described_where_a_config_names_them(tmp_path):
    (tmp_path / "schema_own.py").write_text(OWN)
    (tmp_path / "mine.toml").write_text(WITH_PLUGINS)
    schema = config_schema(load_config(tmp_path / "mine.toml"))
    section = schema["properties"]["schema_plain"]
    assert section["description"] == "One layer."
    assert section["properties"]["width"] == {"description": "units", "default": 2, "type": "integer", "minimum": 1}
    own = jsonschema.Draft4Validator(schema)
    own.check_schema(schema)
    own.validate(tomllib.loads(WITH_PLUGINS))
    for wrong in ("width = 0", "widths = 3"):
        assert not own.is_valid(tomllib.loads(WITH_PLUGINS.replace("width = 3", wrong)))
    assert not own.is_valid(tomllib.loads('plugins = ["schema_own"]\nmodels = ["schema_plian"]'))
