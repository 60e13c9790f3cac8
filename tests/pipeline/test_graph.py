import importlib
import inspect
import typing

import pytest

from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import build_graph

GRAPH = build_graph(Config())


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


@pytest.mark.parametrize("step", GRAPH, ids=lambda step: step.name)
def test_graph_fits_the_annotations_of_the_step(step):
    module, _, name = step.function.partition(":")
    function = getattr(importlib.import_module(module), name)
    hints = typing.get_type_hints(function)
    by_name = {other.name: other.output for other in GRAPH}
    assert hints["return"] is step.output
    for argument, source in step.inputs.items():
        if isinstance(source, str):
            assert hints[argument] is by_name[source], argument
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
