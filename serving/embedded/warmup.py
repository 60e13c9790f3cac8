"""Answers the warm-up requests of a model before any client's.

The first call of a graph compiles and allocates, and costs far more than the next. Records are `PredictionLog`s in the
TFRecord `assets.extra/tf_serving_warmup_requests`. Source: tensorflow/serving
servables/tensorflow/saved_model_warmup_util.cc.
"""

from __future__ import annotations

from typing import Any

import grpc

from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.protocol.codes import status_of
from crossnet.serving.status import ServingError

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_MAX_RECORDS = 1000


def warm_up(model: LoadedModel, iterations: int = 1) -> int:
    """Answers each record of the model's warm-up file, and returns their number.

    Args:
      model: The model; where it does not have a warm-up file, nothing happens.
      iterations: How often each record is answered.

    Raises:
      ServingError: A record fails, the file is damaged, or holds more than 1000 records: the load must fail.
    """
    path = model.path / WARMUP_FILE
    if not path.is_file():
        return 0
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    try:
        with tf.device("/CPU:0"):
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                if count == _MAX_RECORDS:
                    raise ServingError(
                        f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {path}",
                        grpc.StatusCode.INVALID_ARGUMENT,
                    )
                _answer(model, prediction_log_pb2.PredictionLog.FromString(record), iterations)
                count += 1
    except Exception as error:
        code, message = status_of(error)
        raise ServingError(f"Warm-up record {count} of {path}: {message}", code) from error
    return count


def _answer(model: LoadedModel, record: Any, iterations: int) -> None:
    from crossnet.serving.embedded.example_calls import classify, multi_inference, regress
    from crossnet.serving.embedded.predictor import predict

    kind = record.WhichOneof("log_type")
    for _ in range(max(iterations, 1)):
        if kind == "predict_log":
            predict(model, record.predict_log.request)
        elif kind == "regress_log":
            regress(model, record.regress_log.request)
        elif kind == "classify_log":
            classify(model, record.classify_log.request)
        elif kind == "multi_inference_log":
            multi_inference(model, 0, record.multi_inference_log.request)
        else:
            raise ServingError(f"Unsupported log_type for warmup: {kind}", grpc.StatusCode.UNIMPLEMENTED)
