"""Settings that nobody would write on purpose: each is answered by a sentence."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import load_config, setting_names, to_toml

LONG = "9" * 400
LONGER = "9" * 5000
MOST_CHARACTERS = 600  # of a message about one setting


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("example_gen.input=~0/x", "`example_gen.input` begins with the home folder of a user who does not exist."),
        ("pusher.serving_dir=~\0", r"`pusher.serving_dir` cannot be a path. Received '~\x00'."),
        ("pusher.serving_dir=~nosuchuser/x", "Received '~nosuchuser/x'. Write the path in full."),
        (f"evaluator.max_rmse={LONG}", "must be a finite number. Received a whole number of about 400 digits."),
        (f"evaluator.max_rmse={LONGER}", '`evaluator.max_rmse` must be a number, or "none". Received \'999'),
        (f"trainer.epochs={LONG}", "at least 1 and at most 2^63 - 1. Received a whole number of about 400 digits."),
        (f"trainer.epochs={LONGER}", "`trainer.epochs` must be a whole number or auto. Received '999"),
        (f"trainer.epochs=0x{'f' * 5000}", "Received a whole number of about 6,021 digits."),
        (f"trainer.seed=-{LONG}", "must be a finite number at least 0 and at least -2^63."),
        (f"example_gen.label={LONG}", "`example_gen.label` must be text. Received a whole number of about 400 digits."),
        (f"dense.units=[3, {LONG}]", "`dense.units` must be a finite number at least 1 and at most 2^63 - 1."),
        (
            f"example_gen.seed={2**32}",
            "must be a finite number at least 0 and at most 4294967295. Received 4294967296.",
        ),
        (f"trainer.epochs={'[' * 2000}", "`trainer.epochs` must be a whole number or auto. Received '[[["),
        (
            f"trainer.epochs={'[' * 90}{']' * 90}",
            '`trainer.epochs` must be a whole number, or "auto". Received [[[[...]]]].',
        ),
        ("example_gen.input=a\0b", "`example_gen.input` must be a path, which cannot hold a NUL character."),
        (r'example_gen.input="a\u0000b"', "`example_gen.input` must be a path, which cannot hold a NUL character."),
        (f"example_gen.input={'n' * 300}", "`example_gen.input` must be a path with at most 255 bytes in each name."),
        (f"example_gen.input={'n/' * 3000}", "`example_gen.input` must be text of at most 4,095 bytes."),
        (f"pusher.model_name={'n' * 10_000}", "`pusher.model_name` must be text of at most 4,095 bytes."),
        ("example_gen.label=\udcff", "must be text in UTF-8, which can be written into a run's config.toml."),
        ("example_gen.exclude=['a', '\udcff']", "`example_gen.exclude` must be text in UTF-8"),
        ("example_gen.label=2026-11-29", "`example_gen.label` must be text. Received 2026-11-29."),
        ("example_gen.label={a=1}", "`example_gen.label` must be text. Received {'a': 1}."),
        ("=3", "Unknown setting ``."),
        (".=3", "Unknown setting ``."),
        ("trainer.=3", "Unknown setting `trainer.`."),
        (f"trainer.{'a.' * 1000}=3", "Unknown setting `trainer.a.a."),
        (f"{'k' * 5000}=3", f"Unknown setting `{'k' * 60}...`."),
        ("k" * 5000, f"`--set {'k' * 60}...` has no value."),
        ("trainer\x1b[31m.epochs=3", r"Unknown setting `trainer\x1b[31m`."),
        ("trainer.optimizer=a\x1b[31m", r"Received 'a\x1b[31m'."),
        ("trainer.epochs=3\nx=4", r"`trainer.epochs` must be a whole number or auto. Received '3\nx=4'."),
    ],
    ids=lambda value: value[:30],
)
def test_odd_setting_is_answered_by_a_short_sentence(override, sentence):
    with pytest.raises(SettingsError) as caught:
        load_config(None, [override])
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < MOST_CHARACTERS
    assert caught.value.exit_code == 2


def test_odd_settings_of_a_file_are_listed_at_once(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        f'"" = 1\n"a\\u001b" = 2\n[trainer]\nepochs = {LONG}\nlearning_rate = {LONG}\n[pusher]\n'
        'serving_dir = "~nosuchuser"\n[example_gen]\nsource = "csv"\ninput = "a\\u0000b"\nlabel = 2026-11-29\n'
    )
    with pytest.raises(SettingsError) as caught:
        load_config(file, ["trainer.seed=-1"])
    lines = str(caught.value).splitlines()
    assert lines[0] == "8 settings are wrong in mine.toml:"
    assert [line.split("`")[1] for line in lines[1:]] == [
        "pusher.serving_dir",
        "",
        r"a\x1b",
        "trainer.epochs",
        "trainer.learning_rate",
        "trainer.seed",
        "example_gen.input",
        "example_gen.label",
    ]


def test_many_wrong_settings_are_counted_and_not_all_shown(tmp_path):
    (tmp_path / "mine.toml").write_text("".join(f"key_{n} = 1\n" for n in range(100_000)))
    with pytest.raises(SettingsError) as caught:
        load_config(tmp_path / "mine.toml")
    lines = str(caught.value).splitlines()
    assert (lines[0], lines[-1], len(lines)) == (
        "100,000 settings are wrong in mine.toml:",
        "... and 99,950 more.",
        52,
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a\0b", r"No config file `a\\x00b`"),
        ("n" * 5000, r"No config file `n{1000}\.\.\.`"),
        ("\x1b[31m", r"No config file `\\x1b\[31m`"),
        ("/dev/null", "`/dev/null` is a pipe, a socket or a device. Expected a TOML file."),
        ("/", "`/` is a folder. Expected a TOML file."),
    ],
    ids=lambda value: value[:30],
)
def test_config_that_is_not_a_file_is_named(name, sentence):
    with pytest.raises(SettingsError, match=sentence):
        load_config(Path(name))


def test_pipe_as_config_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for a writer
    with pytest.raises(SettingsError, match="is a pipe, a socket or a device"):
        load_config(tmp_path / "pipe")


def test_paths_keep_a_home_folder_that_exists(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load_config(None, ["pusher.serving_dir=~/models"]).pusher.serving_dir == "/home/somebody/models"


def test_path_that_is_a_number_is_relative_to_the_config_too(tmp_path):
    (tmp_path / "mine.toml").write_text('[example_gen]\nsource = "csv"\ninput = 2026\n')
    assert load_config(tmp_path / "mine.toml").example_gen.input == str(tmp_path / "2026")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([name for name in setting_names() if "." in name] + ["models", "x", ""]),
    st.one_of(
        st.text(st.characters(codec=None), max_size=20),
        st.sampled_from(['"', "[", "{", "[[", '["', "{a=", "", "0x", "~", "\0"]).flatmap(
            lambda start: st.text("[]{}\"'=,.~0129ae-: \n\0\\", max_size=12).map(lambda end: start + end)
        ),
        st.integers().map(str),
        st.floats().map(str),
    ),
)
def test_any_override_is_taken_or_refused_in_a_short_sentence(name, value):
    try:
        config = load_config(None, [f"{name}={value}"])
    except SettingsError as error:
        refused = str(error)
    else:
        refused = ""
        assert tomllib.loads(to_toml(config))
    assert len(refused) < 2 * MOST_CHARACTERS
