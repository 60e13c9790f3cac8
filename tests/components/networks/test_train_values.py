"""Training's values are the ranges of numbers and the vocabularies of what the model sees."""

from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.networks.columns import KeyColumn, LeftOut, NumberColumn, TextColumn
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.networks.train_values import train_values
from crossnet.serving.protocol.train_values import TrainValues


def test_train_values_are_those_of_the_features_that_the_network_sees():
    preprocessing = Preprocessing(
        (NumberColumn("miles", "FLOAT", True), NumberColumn("hour", "INT", False), NumberColumn("empty", "INT", False)),
        (TextColumn("zone", False, ("", "north"), 2),),
        keys=(KeyColumn("hour", False, (7, 8), 2), KeyColumn("code", True, (5, 3), 2)),
        left_out=(LeftOut("id", "BYTES", True, "is left out"),),
    )
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    columns = statistics.datasets.add().features
    for name, low, high in (("miles", 0.5, 30.25), ("hour", 0, 23), ("empty", 0, 0), ("zone", 0, 0), ("code", 3, 5)):
        column = columns.add()
        column.path.step.append(name)
        column.num_stats.min, column.num_stats.max = low, high
        histogram = column.num_stats.histograms.add()
        if name != "empty":
            histogram.buckets.add(low_value=low, high_value=high)
    assert train_values(preprocessing, statistics) == TrainValues(
        {"miles": (0.5, 30.25), "hour": (0, 23)},
        {"zone": frozenset({"", "north"}), "code": frozenset({3, 5})},
        frozenset({"miles", "code"}),
    )
