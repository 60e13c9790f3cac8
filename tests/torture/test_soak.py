"""A server that takes good, large, wrong and half requests for minutes, while models come and go."""

from __future__ import annotations

import random
import time

from support.torture import cases

_ALLOWED_GROWTH = 1.1  # of the memory after the largest request


@cases(
    "soak",
    1,
    short=1,
    says="0 wrong answers, no traceback, memory within 10 % of that after the largest request",
    timeout_seconds=600,
    alone=True,
)
def test_the_server_answers_rightly_and_gives_its_memory_back(case, tmp_path):
    from crossnet.serving.client import PredictionClient
    from support.serving_fixtures import Stubs
    from support.soak import SoakServer, Tally, ask_large, run_clients

    server = SoakServer(tmp_path)
    try:
        with PredictionClient(server.target, model_name="demo") as client:
            client.wait_ready(60)
        first, stubs = Tally(), Stubs(server.target)
        ask_large(server, stubs, random.Random(case.seed), first)
        stubs.channel.close()
        baseline = server.resident_mib()
        tally = run_clients(server, case.seed, 360 if case.full else 4)
        wait_until_at_rest(server, 30 if case.full else 5, baseline * _ALLOWED_GROWTH)
        resident = server.resident_mib()
        assert server.process.poll() is None, server.log.read_text()[-3000:]
    finally:
        code = server.stop()
    log = server.log.read_text(errors="replace")
    wrong = first.wrong + tally.wrong
    case.count(calls=sum(tally.counts.values()), wrong_answers=len(wrong), tracebacks=log.count("Traceback"))
    for name, number in tally.counts.items():
        case.count(**{f"{name.partition(' ')[0]}_calls": number})
    case.note_most(baseline_mib=round(baseline), mib_at_rest=round(resident))
    assert wrong == []
    assert "Traceback" not in log
    assert code == 0
    assert resident <= baseline * _ALLOWED_GROWTH


def wait_until_at_rest(server, seconds, mib):
    """Waits for at most `seconds` until the server's memory is below a limit."""
    end = time.monotonic() + seconds
    while server.resident_mib() > mib and time.monotonic() < end:
        time.sleep(0.1)
