from __future__ import annotations

from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from crossnet.components.networks.stable_names import renumber


def graph(first: int) -> Any:
    """Returns a SavedModel as TensorFlow leaves it in a process that has numbered `first` names before."""
    saved = saved_model_pb2.SavedModel()
    graph = saved.meta_graphs.add()
    nodes = graph.graph_def.node
    table = nodes.add(name="table", op="HashTableV2")
    table.attr["shared_name"].s = f"{first + 3}".encode()
    variable = nodes.add(name="v", op="VarHandleOp")
    variable.attr["shared_name"].s = b"embeddings/table_7"
    nodes.add(name=f"key_value_init{first}/import", op="LookupTableImportV2", input=[f"key_value_init{first}/keys"])
    call = nodes.add(name="call", op="StatefulPartitionedCall")
    call.attr["f"].func.name = f"__inference_serve_{first + 9}"
    function = graph.graph_def.library.function.add()
    function.signature.name = f"__inference_serve_{first + 9}"
    function.arg_attr[0].attr["_user_specified_name"].s = f"{first + 20}".encode()
    function.arg_attr[1].attr["_user_specified_name"].s = b"x2"
    function.ret["prediction"] = f"key_value_init{first}:output:0"
    creator = graph.graph_def.library.function.add()
    creator.signature.name = f"__inference__creator_{first + 5}"
    objects = graph.object_graph_def
    objects.concrete_functions[f"__inference_serve_{first + 9}"].bound_inputs.append(4)
    objects.nodes.add().function.concrete_functions.append(f"__inference_serve_{first + 9}")
    return saved


def test_names_are_numbered_from_0_in_their_order_wherever_they_stand() -> None:
    saved = graph(100)
    renumber(saved, "abc")
    meta = saved.meta_graphs[0]
    table, variable, initializer, call = meta.graph_def.node
    assert table.attr["shared_name"].s == b"abc-0"
    assert variable.attr["shared_name"].s == b"embeddings/table_7"  # a name that does not depend on the process
    assert (initializer.name, list(initializer.input)) == ("key_value_init0/import", ["key_value_init0/keys"])
    assert call.attr["f"].func.name == "__inference_serve_1"
    function, creator = meta.graph_def.library.function
    assert (function.signature.name, creator.signature.name) == ("__inference_serve_1", "__inference__creator_0")
    assert function.arg_attr[0].attr["_user_specified_name"].s == b"0"
    assert function.arg_attr[1].attr["_user_specified_name"].s == b"x2"
    assert function.ret["prediction"] == "key_value_init0:output:0"
    assert list(meta.object_graph_def.concrete_functions) == ["__inference_serve_1"]
    assert meta.object_graph_def.concrete_functions["__inference_serve_1"].bound_inputs == [4]
    assert meta.object_graph_def.nodes[0].function.concrete_functions == ["__inference_serve_1"]


def test_what_the_process_made_before_does_not_change_the_bytes() -> None:
    early, late = graph(3), graph(4321)
    for saved in (early, late):
        renumber(saved, "abc")
    assert early.SerializeToString(deterministic=True) == late.SerializeToString(deterministic=True)


def test_tables_of_two_models_get_names_of_their_own() -> None:
    one, other = graph(0), graph(0)
    renumber(one, "abc")
    renumber(other, "xyz")
    assert one.meta_graphs[0].graph_def.node[0].attr["shared_name"].s == b"abc-0"
    assert other.meta_graphs[0].graph_def.node[0].attr["shared_name"].s == b"xyz-0"
