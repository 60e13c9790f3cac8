from crossnet.pipeline.diff.page import write_diff
from crossnet.pipeline.store import Store


def test_names_from_the_data_cannot_add_to_the_page(tmp_path):
    store = Store(tmp_path)
    (store.runs / "b").mkdir(parents=True)
    end = {"verdict": "BLESSED", "css": "good", "lead": "It passed."}
    facts = {
        "runs": [{"run": "a", **end}, {"run": "b", **end}],
        "settings": [{"setting": "example_gen.label", "before": "<b>", "after": None}],
        "data": {
            "same": False,
            "rows": [{"split": "train", "before": 1000, "after": None}],
            "columns": [{"column": "<script>", "before": None, "after": "INT"}],
            "drift": [],
        },
        "metrics": [],
        "steps": [],
        "notes": ["`<i>` differs."],
    }
    path = write_diff(store, facts)
    page = path.read_text()
    assert path == store.runs / "b" / "diff_a.html"
    assert page.count("<script") == 1  # that sorts tables
    assert "<b>" not in page
    assert "<code>&lt;i&gt;</code> differs." in page
    assert "1,000" in page
