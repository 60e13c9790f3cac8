import json

from crossnet.pipeline.config_schema import config_schema


def test_schema_is_printed_as_json(crossnet):
    assert json.loads(crossnet("config", "schema").stdout) == json.loads(json.dumps(config_schema()))


def test_check_lists_every_mistake_and_reads_no_data(crossnet, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[example_gen]\nsource = "csv"\ninput = "nowhere.csv"\n[trainer]\nepoch = 2\nbatch_size = 0\n')
    done = crossnet("config", "check", "mine.toml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "2 settings are wrong in mine.toml:"
    assert "Did you mean `trainer.epochs`?" in done.stderr
    file.write_text('[example_gen]\nsource = "csv"\ninput = "nowhere.csv"\n[trainer]\nepochs = 2\n')
    done = crossnet("config", "check", "mine.toml", "--set", "trainer.batch_size=7")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "`mine.toml` has no mistake; 4 settings differ from the defaults of the code.",
        '  example_gen.source = "csv"',
        f'  example_gen.input = "{tmp_path}/nowhere.csv"',
        "  trainer.epochs = 2",
        "  trainer.batch_size = 7",
    ]
    assert not (tmp_path / "crossnet_root").exists()


def test_a_file_that_is_not_there_says_which_there_are(crossnet):
    done = crossnet("config", "check", "nowhere.toml")
    assert (done.exit_code, "No config file `nowhere.toml`" in done.stderr) == (2, True)
    assert crossnet("config", "check", "article").exit_code == 0
