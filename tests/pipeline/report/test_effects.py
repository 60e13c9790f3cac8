import re
import xml.etree.ElementTree as ET

from crossnet.pipeline.report import effects as module
from crossnet.pipeline.report.column_texts import ColumnTexts
from crossnet.pipeline.report.effects import effects

TEXTS = ColumnTexts({"area": "Area (m²)"}, {"day": "s"})
DETAILS = {
    "importance": {
        "rows": 411,
        "columns": [
            {"name": "area", "increase": 131100.66, "interval": [109104.0, 153097.3]},
            {"name": "day", "increase": 99.1, "interval": [-309.3, 507.4]},
        ],
    },
    "dependence": [
        {"name": "area", "at": [10.0, 20.0], "prediction": [100.0, 300.0]},
        {"name": "day", "at": [1672531200, 1735689600], "prediction": [200.0, 210.0]},
        {"name": "zone", "at": ["north", "", "<b>"], "prediction": [150.0, 160.0, 170.0]},
    ],
}


def texts(picture):
    return [node.text for node in ET.fromstring(picture).iter("text")]


def test_bars_have_the_users_names_and_numbers():
    found = effects(DETAILS, "dense", TEXTS)
    shown = texts(found["bars"])
    assert {"Area (m²)", "131,101", "day", "99.1"} <= set(shown)
    bars = list(ET.fromstring(found["bars"]).iter("rect"))
    assert float(bars[0].attrib["width"]) > 100 > 1 > float(bars[1].attrib["width"]) >= 0
    assert (found["rows"], found["more"]) == (411, 0)


def test_a_bar_that_goes_down_begins_at_its_end():
    columns = [{"name": "x", "increase": -2.0, "interval": [-3.0, -1.0]}]
    picture = module.importance_bars(columns, "dense", TEXTS)
    assert float(re.search(r'<rect[^>]* width="([\d.]+)"', picture)[1]) > 0


def test_curves_have_dates_words_and_one_scale():
    area, day, zone = effects(DETAILS, "dense", TEXTS)["curves"]
    assert "Area (m²)" in texts(area)
    assert {"2024", "2025"} & set(texts(day))
    assert {"north", "(missing)", "<b>"} <= set(texts(zone))
    assert "<b>" not in zone
    scale = {"100", "200", "300"}
    assert all(scale <= set(texts(picture)) for picture in (area, day, zone))


def test_many_columns_are_counted(monkeypatch):
    monkeypatch.setattr(module, "MAX_BARS", 1)
    assert effects(DETAILS, "dense", TEXTS)["more"] == 1


def test_a_model_that_was_not_measured_shows_nothing():
    assert effects({}, "dense", TEXTS) == effects({"importance": None}, "dense", TEXTS) == {}
