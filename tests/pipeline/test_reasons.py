import dataclasses

import pytest

from crossnet.components.files import json_value
from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.reasons import reasons
from crossnet.pipeline.store import Store

STEPS = {step.name: step for step in build_graph(load_config())}
PARTS = {name: {} for name in ("params", "order", "data", "references", "code", "versions", "inputs")}


def between(step, part, before, after):
    return reasons(STEPS[step], PARTS | {part: before}, PARTS | {part: after})


@pytest.mark.parametrize(
    ("step", "setting", "words"),
    [
        ("example_gen", "example_gen.num_features=4", "example_gen.num_features: 3 → 4"),
        ("statistics_gen", "statistics_gen.num_top_values=7", "statistics_gen.num_top_values: 20 → 7"),
        ("trainer_dense", "dense.units=[4]", "dense.units: [3, 3, 3] → [4]"),
        ("trainer_dense", "trainer.epochs=7", "trainer.epochs: 100 → 7"),
        ("trainer_tfrs_cross", "tfrs_cross.use_bias=false", "tfrs_cross.use_bias: true → false"),
        ("trainer_cross_layer", "cross_layer.projection_dim=1", "cross_layer.projection_dim: none → 1"),
        ("trainer_dense", "pusher.model_name=rides", "pusher.model_name: crossnet → rides"),
        ("evaluator", 'evaluator.slices=[["x0"]]', "evaluator.slices: [] → [['x0']]"),
        ("infra_validator", "infra_validator.server=embedded", "infra_validator.server: auto → embedded"),
        ("pusher", "pusher.serving_dir=/srv", "pusher.serving_dir: '' → /srv"),
        (
            "evaluator",
            'models=["dense","tfrs_cross","cross_layer"]',
            "models: cross_layer, tfrs_cross, dense → dense, tfrs_cross, cross_layer (their order counts; the last of "
            "several is the baseline)",
        ),
    ],
)
def test_a_setting_is_named_as_the_config_names_it(tmp_path, step, setting, words):
    store = Store(tmp_path)
    default = load_config(None, ["evaluator.slices=[]", "trainer.epochs=100"])
    before = make_plan(default, store)[step]
    changed = load_config(None, ["evaluator.slices=[]", "trainer.epochs=100", setting])
    after = make_plan(changed, store)[step]
    found = reasons(after.step, json_value(before.parts), json_value(after.parts))
    assert found[0] == words
    assert reasons(after.step, json_value(after.parts), json_value(after.parts)) == ["its function has another name"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"0 a": "1"}, {"0 a": "2"}, ["`a` has other content"]),
        ({"0 a": "1", "1 b": "2"}, {"0 b": "2"}, ["`a` is gone"]),
        ({"0 b": "2"}, {"0 a": "1", "1 b": "2"}, ["`a` is new"]),
        ({"0 a": "1"}, {"0 c": "1"}, ["`a` is called `c` now"]),
        ({"0 a": "1", "1 b": "1"}, {"0 b": "1", "1 a": "1"}, ["the files come in another order"]),
        ({}, {f"{n} {n}": "1" for n in range(5)}, ["`0` is new", "`1` is new", "`2` is new", "and 2 more files"]),
    ],
)
def test_files_are_compared_by_name(before, after, words):
    assert between("example_gen", "data", before, after) == words


@pytest.mark.parametrize(
    ("step", "part", "before", "after", "words"),
    [
        (
            "evaluator",
            "references",
            {"served": None},
            {"served": "5:ab"},
            "the model in service to compare with: none → 5",
        ),
        (
            "evaluator",
            "references",
            {"served": "5:ab"},
            {"served": "5:cd"},
            "the model in service to compare with, 5, has other files",
        ),
        ("pusher", "code", {"a": "1"}, {"a": "2"}, "the code of a was changed"),
        ("pusher", "code", {}, {"a": "2"}, "the code of a is used now"),
        ("pusher", "code", {"a": "1"}, {}, "the code of a is not used any more"),
        ("pusher", "versions", {"numpy": "2.1"}, {"numpy": "2.2"}, "numpy 2.1 → 2.2"),
        (
            "statistics_gen",
            "inputs",
            {"examples": "1"},
            {"examples": "2"},
            "`example_gen` gives other examples: `crossnet why example_gen`",
        ),
        (
            "evaluator",
            "inputs",
            {"models": {"trainer_dense": "1", "trainer_cross_layer": "1"}},
            {"models": {"trainer_dense": "2", "trainer_cross_layer": "1"}},
            "`trainer_dense` gives other models: `crossnet why trainer_dense`",
        ),
    ],
)
def test_other_parts_have_their_sentence(step, part, before, after, words):
    assert between(step, part, before, after) == [words]


def test_every_reference_of_the_graph_has_words():
    config = load_config(None, ["schema_gen.reference=last_blessed", "trainer.warm_start=3"])
    arguments = {argument for step in build_graph(config) for argument in step.references}
    assert len(arguments) == 5
    for argument in arguments:
        step = dataclasses.replace(STEPS["evaluator"], references={})
        (words,) = reasons(step, PARTS, PARTS | {"references": {argument: "5:a"}})
        assert words.startswith("the ")
        assert words.endswith(": none → 5")
