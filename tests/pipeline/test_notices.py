import sys

import pytest

from crossnet.pipeline import notices


@pytest.fixture(autouse=True)
def _begin_anew():
    notices.forget()


def test_a_sentence_is_printed_once_on_standard_error(capsys):
    for _ in range(2):
        notices.say("Skipped a run.")
    notices.say("Skipped another.")
    assert capsys.readouterr() == ("", "Skipped a run.\nSkipped another.\n")
    notices.forget()
    notices.say("Skipped a run.")
    assert capsys.readouterr().err == "Skipped a run.\n"


@pytest.mark.parametrize("closed", [None, "file"])
def test_a_closed_standard_error_stops_nothing(monkeypatch, tmp_path, closed):
    stream = None
    if closed:
        stream = (tmp_path / closed).open("w")
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    notices.say("Skipped a run.")
