def test_a_budget_of_nothing_is_refused(crossnet):
    result = crossnet("tune", "--trials", "0")
    assert result.exit_code == 2
    assert "Invalid value for '--trials': 0 is not in the range x>=1." in result.output


def test_a_config_is_not_written_where_there_is_no_folder(crossnet):
    result = crossnet("tune", "--output", "nowhere/best.toml")
    assert result.exit_code == 2
    assert "there is no folder" in result.output


def test_a_setting_that_does_not_exist_is_refused_before_anything_is_trained(crossnet, tmp_path):
    (tmp_path / "a.toml").write_text('[trainer]\npreset = "table"\n[tune.space]\n"trainer.rate" = [1]\n')
    result = crossnet("tune", "--config", "a.toml")
    assert result.exit_code == 2
    assert "`tune.space` names `trainer.rate`, which is not a setting." in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]
