"""Takes the place of tensorflow_model_server in tests.

It records its flags, then answers GetModelStatus until a signal ends it.

The environment says what to do: RECORD is the file for the flags, one per line; with FAIL set it gives up as the real
server does, on stdout and with status 255; with STUBBORN set it goes on after SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent import futures
from pathlib import Path


def main() -> int:
    Path(os.environ["RECORD"]).write_text("\n".join([str(os.getpid()), *sys.argv[1:]]))
    if "STUBBORN" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "FAIL" in os.environ:
        sys.stdout.write("Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: {...}\n")
        return 255
    import grpc

    from crossnet.serving.protocol.messages import GetModelStatusRequest, GetModelStatusResponse

    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])

    def status(request, context):
        response = GetModelStatusResponse()
        response.model_version_status.add(version=1, state=30)
        return response

    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(
        status, GetModelStatusRequest.FromString, GetModelStatusResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", {"GetModelStatus": handler}),)
    )
    server.add_insecure_port(f"unix:{flags['grpc_socket_path']}")
    server.start()
    server.wait_for_termination()  # SIGTERM ends it at once, as it does the real one
    return 0


if __name__ == "__main__":
    sys.exit(main())
