def test_a_budget_of_nothing_is_refused(crossnet):
    result = crossnet("tune", "--trials", "0")
    assert result.exit_code == 2
    assert "Invalid value for '--trials': 0 is not in the range x>=1." in result.output


def test_a_config_is_not_written_where_there_is_no_folder(crossnet):
    result = crossnet("tune", "--output", "nowhere/best.toml")
    assert result.exit_code == 2
    assert "there is no folder" in result.output


def test_a_setting_that_does_not_exist_is_refused_before_anything_is_trained(crossnet, tmp_path):
    (tmp_path / "a.toml").write_text('[tune.space]\n"trainer.rate" = [1]\n')
    result = crossnet("tune", "--config", "a.toml", "--set", "example_gen.num_examples=100")
    assert result.exit_code == 2
    assert "`tune.space` names `trainer.rate`, which is not a setting." in result.output
    assert not list(tmp_path.glob("*.tuned.toml"))
