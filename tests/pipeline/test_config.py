import dataclasses
from pathlib import Path

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import (
    Config,
    as_values,
    changed_settings,
    load_config,
    make_config,
    setting_names,
    to_toml,
)


def test_config_default_is_the_built_in_table_with_a_gate():
    config = load_config()
    assert config.example_gen.source == "synthetic"
    assert config.evaluator.max_rmse == 0.01
    assert config.models == ("cross_layer", "tfrs_cross", "dense")


def test_config_article_is_the_article_to_the_letter():
    trainer = load_config(Path("article")).trainer
    assert (trainer.optimizer, trainer.learning_rate, trainer.epochs, trainer.batch_size, trainer.schedule) == (
        ("adagrad", 0.4, 100, 1000, "constant")
    )


@pytest.mark.parametrize("name", ["default", "article", "csv"])
def test_config_written_out_reads_back_equal(name, tmp_path):
    config = load_config(
        Path(name), ["num_workers=3", "dense.units=[5, 4]", "evaluator.max_rmse=none", 'evaluator.slices=[["x0"]]']
    )
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert load_config(tmp_path / "config.toml") == config


def test_config_lists_every_mistake_at_once(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'modles = []\n[trainer]\nlearning_rat = 1\nepochs = 1.5\noptimizer = "adm"\n[evaluator]\nmax_rmse = 0\n'
        "[cross_layer]\nnum_layers = 0\n[pusher]\nmodel_name = 3.5\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_config(file)
    assert str(caught.value).splitlines() == [
        "7 settings are wrong in mine.toml:",
        "Unknown setting `modles`. Did you mean `models`?",
        "Unknown setting `trainer.learning_rat`. Did you mean `trainer.learning_rate`?",
        '`trainer.epochs` must be a whole number, or "auto". Received 1.5.',
        "`trainer.optimizer` must be one of adam, adamw, adagrad, sgd, rmsprop. Received 'adm'. Did you mean 'adam'?",
        "`evaluator.max_rmse` must be a finite number above 0. Received 0.0.",
        "`cross_layer.num_layers` must be a finite number at least 1. Received 0.",
        "`pusher.model_name` must be text. Received 3.5.",
    ]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf"])
def test_config_refuses_max_rmse_that_is_no_positive_number(value):
    with pytest.raises(SettingsError, match=r"`evaluator.max_rmse` must be a finite number above 0\. Received"):
        load_config(None, [f"evaluator.max_rmse={value}"])


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "n" * 300, "ü"])
def test_config_refuses_a_model_name_that_is_no_plain_folder_name(name):
    with pytest.raises(SettingsError, match=r"`model_name` must be a plain name: letters, digits, .* Received '") as e:
        load_config(None, [f"pusher.model_name={name}"])
    assert e.value.exit_code == 2


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("evaluator.max_rmse=low", "`evaluator.max_rmse` must be a number, or \"none\". Received 'low'."),
        ("trainer.shuffle=1", "`trainer.shuffle` must be true or false. Received 1."),
        (
            "dense.units=3",
            '`dense.units` must be a list (a whole number each), or "auto". Received 3. Write it as [3].',
        ),
        ("trainer.weight_decay=-1", "`trainer.weight_decay` must be a finite number at least 0. Received -1.0."),
        (
            'evaluator.slices=["zone"]',
            "`evaluator.slices` must be a list of lists (text each). Received ['zone']. Write it as [['zone']].",
        ),
        ("models=dense", "`models` must be a list (text each). Received 'dense'. Write it as ['dense']."),
        ("dense.units=[3, 0]", "`dense.units` must be a finite number at least 1. Received 0."),
        ("dense=3", "`dense` is a section; its settings are written `dense.key`. Received 3."),
        ("trainer.epochs", "`--set trainer.epochs` has no value. Write it as `--set section.key=value`."),
        ('models=["dense", "dense"]', "`models` must name at least one kind and none twice."),
        ('models=["cros_layer"]', "Received 'cros_layer'. Did you mean 'cross_layer'?"),
        ("cross_layer.structure=stacked", "`structure` and `deep_units` disagree"),
        ("num_workers=0", "`num_workers` must be a finite number at least 1. Received 0."),
        ("num_workers=all", "`num_workers` must be a whole number or auto. Received 'all'."),
        ("num_workers=2.5", '`num_workers` must be a whole number, or "auto". Received 2.5.'),
        ("engine=cluster", "`engine` must be one of local, spark, beam. Received 'cluster'."),
        ("engine_options={'spark.master'='yarn'}", '`engine_options` are those of `engine = "spark"` and "beam"; '),
        (
            "example_gen.num_workers=2",
            "Unknown setting `example_gen.num_workers`. It is now `num_workers`, for every step: write it at the top "
            "of the file, before the first section, or `--set num_workers=2`.",
        ),
        ("models.x=1", "`models` has no setting `x`: it is not a section."),
    ],
)
def test_config_explains_a_wrong_setting(override, sentence):
    with pytest.raises(SettingsError) as caught:
        load_config(None, ["models=[]", override] if override.startswith("models.x") else [override])
    assert sentence in str(caught.value)


def test_config_names_the_shipped_files_when_there_is_no_such_file():
    with pytest.raises(SettingsError, match=r"No config file `missing\.toml`.*article, csv, default"):
        load_config(Path("missing.toml"))


def test_config_says_where_toml_is_broken(tmp_path):
    (tmp_path / "mine.toml").write_text("models = [\n\n= 3")
    with pytest.raises(SettingsError, match=r"mine\.toml` is not valid TOML: .*line 3"):
        load_config(tmp_path / "mine.toml")


def test_config_takes_paths_relative_to_its_file_and_to_the_shell_for_set(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('[example_gen]\nsource = "csv"\ninput = "rides.csv"\n')
    monkeypatch.chdir("/")
    assert load_config(tmp_path / "mine.toml").example_gen.input == str(tmp_path / "rides.csv")
    config = load_config(tmp_path / "mine.toml", ["example_gen.input=other.csv", "pusher.serving_dir=models"])
    assert config.example_gen.input == "/other.csv"
    assert config.pusher.serving_dir == "/models"


def test_config_every_setting_is_documented():
    for section in dataclasses.fields(Config):
        default = section.default_factory() if callable(section.default_factory) else None
        settings = dataclasses.fields(default) if dataclasses.is_dataclass(default) else [section]
        for setting in settings:
            assert setting.metadata["doc"], f"{section.name}.{setting.name}"
    assert "trainer.learning_rate" in setting_names()


def test_preset_fills_what_the_settings_leave_out() -> None:
    table = load_config(None, ["trainer.preset=table", "trainer.epochs=7"]).trainer
    assert (table.optimizer, table.batch_size, table.epochs, table.shuffle) == ("adamw", "auto", 7, True)
    assert load_config(None, ["trainer.preset=polynomial"]) == load_config()


def test_preset_article_trains_as_the_shipped_article() -> None:
    models = 'models=["cross_layer", "tfrs_cross", "dense"]'
    generator = ["example_gen.generator=article", "evaluator.max_rmse=0.01"]
    found = load_config(None, ["trainer.preset=article", *generator, models, "dense.learning_rate=none"])
    shipped = load_config(Path("article"))
    assert dataclasses.replace(found.trainer, preset="polynomial") == shipped.trainer
    assert (found.cross_layer, found.tfrs_cross) == (shipped.cross_layer, shipped.tfrs_cross)


@pytest.mark.parametrize("preset", ["article", "polynomial", "table"])
def test_preset_written_out_reads_back_equal(preset: str, tmp_path: Path) -> None:
    config = load_config(None, [f"trainer.preset={preset}"])
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert load_config(tmp_path / "config.toml") == config


def test_preset_that_is_unknown_is_refused() -> None:
    with pytest.raises(
        SettingsError, match="one of article, polynomial, table. Received 'tables'. Did you mean 'table'"
    ):
        load_config(None, ["trainer.preset=tables"])


def test_values_from_python_may_hold_paths_and_are_not_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"example_gen": {"source": "csv", "input": Path("rides.csv")}, "trainer": {"epochs": 2}}
    config = make_config(values, ["trainer.epochs=3"])
    assert (config.example_gen.input, config.trainer.epochs) == (str(tmp_path / "rides.csv"), 3)
    assert values == {"example_gen": {"source": "csv", "input": Path("rides.csv")}, "trainer": {"epochs": 2}}
    assert make_config(as_values(config)) == config


def test_a_mistake_in_values_from_python_names_the_setting():
    with pytest.raises(SettingsError, match=r"^Unknown setting `trainer.epoch`\. Did you mean `trainer.epochs`\?$"):
        make_config({"trainer": {"epoch": 2}})


def test_changed_settings_are_those_that_differ_from_their_defaults():
    import tomllib

    plain = tomllib.loads(
        to_toml(
            load_config(
                None, ["trainer.epochs=7", 'models=["dense"]', "evaluator.max_rmse=none", "dense.learning_rate=none"]
            )
        )
    )
    assert changed_settings(plain) == [("models", ["dense"]), ("trainer.epochs", 7)]
    assert changed_settings({"retired": {"key": 1}}) == [("retired.key", 1)]


def test_the_root_may_stand_in_a_config_relative_to_it(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "mine.toml"
    file.write_text('root = "runs_here"\n')
    monkeypatch.chdir(tmp_path)
    assert load_config(file).root == str(tmp_path / "sub" / "runs_here")
    assert load_config(file, ["root=here"]).root == str(tmp_path / "here")
    assert load_config().root == ""
