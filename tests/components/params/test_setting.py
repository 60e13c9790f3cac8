import dataclasses

import pytest

from crossnet.components.params.setting import PathKind, setting, with_effect
from crossnet.components.params.trainer import MIXED_BFLOAT16, TrainerParams
from crossnet.pipeline.config import Config
from crossnet.pipeline.setting_rules import BOUNDS


def every_setting():
    config = Config()
    for section in dataclasses.fields(Config):
        values = getattr(config, section.name)
        if dataclasses.is_dataclass(values):
            yield from (
                (f"{section.name}.{item.name}", item, getattr(values, item.name)) for item in dataclasses.fields(values)
            )


def test_setting_keeps_what_checks_and_the_reference_read():
    item = setting(0.5, "share of rows", above=0, most=1, path=PathKind.INPUT)
    assert item.default == 0.5
    assert dict(item.metadata) == {
        **{"doc": "share of rows", "choices": (), "path": PathKind.INPUT},
        **{"least": None, "above": 0, "most": 1, "below": None, "any_order": False, "without_effect": False},
        "only_with": None,
    }


@pytest.mark.parametrize(("name", "item", "value"), [pytest.param(*one, id=one[0]) for one in every_setting()])
def test_every_setting_says_what_it_means_and_has_a_default_in_its_range(name, item, value):
    doc = item.metadata["doc"]
    assert doc
    assert "\n" not in doc
    values = value if isinstance(value, tuple) else (value,)
    # Of a number, the choices are words that may stand for it.
    if item.metadata["choices"] and any(isinstance(one, str) for one in values):
        assert set(values) <= set(item.metadata["choices"])
    for one in values:
        if isinstance(one, int | float) and not isinstance(one, bool):
            assert all(fits(one, item.metadata[key]) for _, key, fits in BOUNDS if item.metadata[key] is not None)


def test_settings_that_hold_paths_are_declared_as_such():
    paths = {name: item.metadata["path"] for name, item, _ in every_setting() if item.metadata["path"]}
    assert paths == {
        "example_gen.input": PathKind.INPUT,
        "example_gen.input_pattern": PathKind.INPUT,
        "example_gen.query": PathKind.QUERY,
        "example_gen.connection": PathKind.QUERY,
        "example_gen.query_folder": PathKind.INPUT,
        "schema_gen.schema_file": PathKind.INPUT,
        "trainer.warm_start": PathKind.MODEL,
        "pusher.serving_dir": PathKind.OUTPUT,
    }


def test_a_setting_has_an_effect_only_where_the_one_that_it_needs_is_set():
    assert "shuffle_mib" not in with_effect(TrainerParams())
    assert with_effect(TrainerParams(shuffle=True))["shuffle_mib"] == 32
    assert "cache_mib" not in with_effect(TrainerParams(shuffle=True))
    assert "precision" not in with_effect(TrainerParams())  # as in roots that are older than the setting
    assert with_effect(TrainerParams(precision=MIXED_BFLOAT16))["precision"] == MIXED_BFLOAT16


def test_every_setting_that_needs_another_names_one_of_its_section():
    for name, item, _ in every_setting():
        if item.metadata["only_with"]:
            section = getattr(Config(), name.partition(".")[0])
            assert hasattr(section, item.metadata["only_with"][0])
