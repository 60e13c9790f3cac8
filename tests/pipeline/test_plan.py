import dataclasses
import json
import typing

import pytest

from crossnet.pipeline.config import Config, load_config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "root")


def prints(config, store):
    return {name: planned.fingerprint for name, planned in make_plan(config, store).items()}


def changed(before, after, store):
    """The steps that both plans have, with another fingerprint."""
    one, other = prints(before, store), prints(after, store)
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def test_plan_needs_nothing_on_disk(store):
    plan = make_plan(load_config(), store)
    assert [planned.done for planned in plan.values()] == [False] * 10
    assert plan["evaluator"].references == {"served": None, "anchor": None}
    assert not store.root.exists()


def test_plan_knows_a_csv_by_its_content(store, tmp_path):
    file = tmp_path / "rows.csv"
    settings = ["example_gen.source=csv", f"example_gen.input={file}"]
    prints = []
    for text in ("x,y\n1,2\n", "x,y\n2,1\n", "x,y\n1,2\n"):
        file.write_text(text)
        prints.append(make_plan(load_config(None, settings), store)["example_gen"].fingerprint)
    assert prints[0] == prints[2] != prints[1]


def test_plan_knows_a_file_that_moves_from_train_to_eval(store, tmp_path):
    for name in ("train/a.csv", "train/b.csv", "eval/c.csv"):
        (tmp_path / "rows" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rows" / name).write_text(f"x,y\n{ord(name[-5])},2\n")
    config = load_config(
        None, ["example_gen.source=csv", f"example_gen.input={tmp_path / 'rows'}", "example_gen.split=folders"]
    )
    before = prints(config, store)
    (tmp_path / "rows" / "train" / "b.csv").rename(tmp_path / "rows" / "eval" / "b.csv")  # still the second of three
    assert prints(config, store)["example_gen"] != before["example_gen"]


def test_plan_knows_the_order_of_models_where_they_are_judged(store):
    one = load_config(None, ['models=["cross_layer","tfrs_cross","dense"]'])
    for models in ('["dense","tfrs_cross","cross_layer"]', '["tfrs_cross","cross_layer","dense"]'):
        assert changed(one, load_config(None, [f"models={models}"]), store) == [
            "evaluator",
            "infra_validator",
            "pusher",
        ]


MODELS = ("cross_layer", "tfrs_cross", "cross_mix", "cross_gated", "dense")

# By the type of its items: what a list holds in one order and in the other.
ITEMS = {str: ("a", "b"), int: (3, 5), float: (0.1, 2.0), tuple[str, ...]: (("x0",), ("x1",))}


def lists():
    """Every setting that is a list, by name: two values of it, and the first step for which their order counts."""
    sections = {name: hint for name, hint in typing.get_type_hints(Config).items() if dataclasses.is_dataclass(hint)}
    found = {}
    for section, kind in {"": Config, **sections}.items():
        hints, fields = typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}
        for name, hint in hints.items():
            kinds = [each for each in (hint, *typing.get_args(hint)) if typing.get_origin(each) is tuple]
            if kinds:
                step = {"trainer": "trainer_cross_layer", **{model: f"trainer_{model}" for model in MODELS}}
                first = None if fields[name].metadata.get("any_order") else step.get(section, section)
                found[f"{section}.{name}".lstrip(".")] = (ITEMS[typing.get_args(kinds[0])[0]], first)
    del found["plugins"]  # whose code counts for the steps that use it: test_plugins
    return found | {"models": (("cross_layer", "dense"), "evaluator")}


LISTS = lists()


def test_lists_of_settings_are_found_with_and_without_an_order():
    assert {"models", "example_gen.names", "trainer.weight_decay", "dense.units", "evaluator.slices"} <= {
        name for name, (_, first) in LISTS.items() if first
    }
    assert {"example_gen.exclude", "example_gen.null_values"} <= {
        name for name, (_, first) in LISTS.items() if not first
    }


def with_setting(name, value):
    config = load_config(None, [f"models={json.dumps(MODELS)}"])
    section, _, key = name.rpartition(".")
    inner = {key: value} | ({"structure": "stacked"} if key == "deep_units" else {})
    return dataclasses.replace(
        config, **({section: dataclasses.replace(getattr(config, section), **inner)} if section else inner)
    )


@pytest.mark.parametrize("name", LISTS)
def test_order_of_a_list_counts_for_the_steps_that_read_it_and_for_no_other(store, name):
    (one, two), first = LISTS[name]
    again = changed(with_setting(name, (one, two)), with_setting(name, (two, one)), store)
    after = ["evaluator", "infra_validator", "pusher"]
    if first == "example_gen":
        after = [step.name for step in build_graph(with_setting(name, (one, two)))]
    if name.startswith("trainer."):
        steps = [step.name for step in build_graph(with_setting(name, (one, two)))]
        after = [step for step in steps if step.startswith("trainer_")] + after
    assert again == (list(dict.fromkeys([first, *after])) if first else [])
    fewer = changed(with_setting(name, (one, two)), with_setting(name, (one,)), store) if name != "models" else [first]
    assert fewer[0] == (first or "example_gen")
