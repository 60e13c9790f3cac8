import pytest

from crossnet.serving.protocol.suggestions import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("learning_rat", ["epochs", "learning_rate"], " Did you mean `learning_rate`?"),
        ("epoch", (name for name in ("epochs", "batch_size")), " Did you mean `epochs`?"),
        ("zone", ["fare", "miles"], ""),
        ("zone", [], ""),
        ("", ["fare"], ""),
    ],
)
def test_only_a_similar_name_is_suggested(name, known, sentence):
    assert did_you_mean(name, known) == sentence


def test_a_prefix_is_put_before_the_suggestion():
    assert did_you_mean("prot", ["port", "host"], prefix="--") == " Did you mean `--port`?"


def test_a_value_is_quoted_as_asked():
    assert did_you_mean("adm", ["adam", "sgd"], quote="'") == " Did you mean 'adam'?"


def test_nearest_takes_the_most_similar():
    assert nearest("miles", ["mile", "miless", "smiles"]) in ("miless", "smiles")
    assert nearest("abc", ["xyz"]) is None
