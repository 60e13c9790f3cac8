import pytest

from crossnet.components.own_code import in_words


def test_in_words_names_the_last_line_of_the_project_that_was_at_work(tmp_path):
    (tmp_path / "mine.py").write_text("import json\n\n\ndef read(text):\n    return json.loads(text)\n")
    names = {}
    exec(compile((tmp_path / "mine.py").read_text(), str(tmp_path / "mine.py"), "exec"), names)
    with pytest.raises(ValueError) as caught:
        names["read"]("")
    found = in_words(caught.value, "mine", tmp_path)
    assert found.startswith("JSONDecodeError: Expecting value")
    assert found.endswith(f" ({tmp_path / 'mine.py'}, line 5)")


def test_in_words_names_the_place_of_a_mistake_in_the_text_itself():
    with pytest.raises(SyntaxError) as caught:
        compile("x = (\n", "/there/mine.py", "exec")
    assert in_words(caught.value, "mine") == "SyntaxError: '(' was never closed (/there/mine.py, line 1)"


def test_in_words_of_an_error_that_no_line_of_the_project_has_raised_names_the_file_alone():
    assert in_words(KeyError(), __name__) == f"KeyError ({__file__})" or in_words(KeyError(), "nothing") == "KeyError"
