import importlib
import inspect
import typing

import pytest

from crossnet.components.params.trainer import TrainerParams
from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import build_graph

GRAPH = build_graph(Config())
WITH_REFERENCE = build_graph(Config(reference="lightgbm"))


def test_graph_names_the_steps_in_an_order_that_works():
    seen = set()
    for step in GRAPH:
        assert {*step.input_steps, *step.after} <= seen, step.name
        seen.add(step.name)
    assert [step.name for step in GRAPH] == [
        "example_gen",
        "statistics_gen",
        "schema_gen",
        "example_validator",
        "trainer_cross_layer",
        "trainer_tfrs_cross",
        "trainer_dense",
        "evaluator",
        "infra_validator",
        "pusher",
    ]


def test_a_reference_is_trained_before_the_models_and_shown_beside_them():
    names = [step.name for step in WITH_REFERENCE]
    assert names.index("reference_lightgbm") == names.index("trainer_cross_layer") - 1
    evaluator = WITH_REFERENCE[names.index("evaluator")]
    assert evaluator.inputs["reference"] == "reference_lightgbm"
    assert not any("reference_lightgbm" in step.input_steps for step in WITH_REFERENCE if step is not evaluator)
    before, with_it = ({step.name: step.settings for step in graph} for graph in (GRAPH, WITH_REFERENCE))
    assert {name: with_it[name] for name in before} == before  # nothing else runs again


def test_a_reference_holds_out_what_the_trainer_holds_out():
    trainer = TrainerParams(early_stopping_patience=5, validation_fraction=0.25)
    (step,) = (s for s in build_graph(Config(reference="lightgbm", trainer=trainer)) if s.name == "reference_lightgbm")
    assert step.settings["params"] == trainer
    assert step.inputs == {"examples": "example_gen", "schema": "schema_gen", "statistics": "statistics_gen"}


@pytest.mark.parametrize("step", WITH_REFERENCE, ids=lambda step: step.name)
def test_graph_fits_the_annotations_of_the_step(step):
    module, _, name = step.function.partition(":")
    function = getattr(importlib.import_module(module), name)
    hints = typing.get_type_hints(function)
    by_name = {other.name: other.output for other in WITH_REFERENCE}
    assert hints["return"] is step.output
    for argument, source in step.inputs.items():
        if isinstance(source, str):
            assert by_name[source] in (hints[argument], *typing.get_args(hints[argument])), argument
        else:
            assert typing.get_args(hints[argument]) == (str, by_name[source[0]]), argument
    for argument, value in step.settings.items():
        wanted = hints[argument]
        assert isinstance(value, typing.get_args(wanted) or wanted), argument
    given = {*step.inputs, *step.settings, *step.references, "output_dir"}
    if step.checkpoints:
        given.add("checkpoint_dir")
    parameters = inspect.signature(function).parameters.values()
    assert given <= {parameter.name for parameter in parameters}
    assert {parameter.name for parameter in parameters if parameter.default is parameter.empty} <= given
