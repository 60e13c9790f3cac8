from __future__ import annotations

from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from tensorflow.core.protobuf import meta_graph_pb2

from crossnet.serving.embedded.batch_tasks import Task, check_rows, takes_batches
from crossnet.serving.status import ServingError


def _signature(**shapes):
    definition = meta_graph_pb2.SignatureDef()
    for name, shape in shapes.items():
        info = (definition.outputs if name == "y" else definition.inputs)[name]
        if shape is None:
            info.tensor_shape.unknown_rank = True
        for size in shape or ():
            info.tensor_shape.dim.add(size=size)
    return SimpleNamespace(definition=definition, inputs=dict(definition.inputs))


@pytest.mark.parametrize(
    ("shapes", "takes"),
    [
        ({"x": [-1, 3], "y": [-1]}, True),
        ({"x": None, "y": None}, True),
        ({"x": [1, 3], "y": [1]}, False),
        ({"x": [-1], "z": [], "y": [-1]}, False),
        ({"x": [-1], "y": [7]}, False),
        ({"y": [-1]}, False),
    ],
)
def test_batches_need_a_first_dimension_of_any_size(shapes, takes):
    assert takes_batches(_signature(**shapes)) is takes


def test_tasks_share_a_key_where_their_rows_can_run_together():
    key = Task("q", [np.ones((1, 3), np.float32)], None).key
    assert Task("q", [np.ones((5, 3), np.float32)], None).key == key
    others = [("p", np.ones((1, 3), np.float32)), ("q", np.ones((1, 3))), ("q", np.ones((1, 2), np.float32))]
    assert all(Task(queue, [array], None).key != key for queue, array in others)


def test_task_is_waited_for_until_it_has_run():
    task = Task("q", [np.ones(2)], None)
    assert not task.wait(0.0)
    task.finish({"y": np.ones(2)})
    assert task.wait(0.0)
    assert (task.rows, task.error, list(task.outputs)) == (2, None, ["y"])


@pytest.mark.parametrize(
    ("values", "sentence"), [(np.ones(()), "has 0 dimensions"), (np.ones(3), "0th dimension does not equal the sum")]
)
def test_outputs_without_a_value_for_each_row_are_refused(values, sentence):
    check_rows({"y": np.ones(2)}, 2)
    with pytest.raises(ServingError, match=f"^Batched output tensor.*{sentence}") as error:
        check_rows({"y": values}, 2)
    assert error.value.code is grpc.StatusCode.FAILED_PRECONDITION
