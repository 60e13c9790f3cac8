def test_a_budget_of_nothing_is_refused(crossnet):
    result = crossnet("tune", "--trials", "0")
    assert result.exit_code == 2
    assert "Invalid value for '--trials': 0 is not in the range x>=1." in result.output


def test_a_config_is_not_written_where_there_is_no_folder(crossnet):
    result = crossnet("tune", "--output", "nowhere/best.toml")
    assert result.exit_code == 2
    assert "does not exist." in result.output


def test_a_setting_that_does_not_exist_is_refused_before_anything_is_trained(crossnet, tmp_path):
    (tmp_path / "a.toml").write_text('[trainer]\npreset = "table"\n[tune.space]\n"trainer.rate" = [1]\n')
    result = crossnet("tune", "--config", "a.toml")
    assert result.exit_code == 2
    assert "`tune.space` names `trainer.rate`, which is not a setting." in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


def test_the_run_that_makes_the_data_is_listed_with_its_config(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\nfar,1\n" + "2,3\n" * 50)
    (tmp_path / "a.toml").write_text(
        'root = "there"\n[example_gen]\nsource = "csv"\ninput = "rows.csv"\nlabel = "y"\nnumeric = ["x"]\n'
        '[trainer]\npreset = "table"\n'
    )
    assert crossnet("tune", "--config", "a.toml").exit_code == 1
    assert "a.toml" in crossnet("runs", "--root", "there").stdout
