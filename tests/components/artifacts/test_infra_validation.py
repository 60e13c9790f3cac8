from crossnet.components.artifacts.base import Outcome
from crossnet.components.artifacts.infra_validation import INFRA_BLESSED, INFRA_NOT_BLESSED, InfraValidation


def test_a_champion_that_serves_passes(tmp_path):
    (tmp_path / INFRA_BLESSED).touch()
    found = InfraValidation(tmp_path, {}, {"reasons": []})
    assert (found.passes(), found.headline, found.outcome()) == (True, "blessed", Outcome())


def test_a_champion_that_does_not_serve_stops_the_push_even_where_it_is_forced(tmp_path):
    (tmp_path / INFRA_NOT_BLESSED).touch()
    found = InfraValidation(tmp_path, {}, {"reasons": ["`dense` does not answer."]})
    assert not found.passes(force=True)
    assert found.headline == "not blessed"
    assert found.outcome(force=True) == Outcome(reasons=("`dense` does not answer.",), exit_code=3)
