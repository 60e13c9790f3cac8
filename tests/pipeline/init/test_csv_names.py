from crossnet.pipeline.init.csv_names import distinct_names, has_header


def test_a_header_is_of_another_form_than_the_cells_below():
    assert has_header([["a", "b"], ["1", "x"], ["2", "y"]])
    assert not has_header([["3", "z"], ["1", "x"], ["2", "y"]])
    assert not has_header([["NA", "2.5"], ["1", "0.5"], ["2", "1.5"]])
    assert not has_header([["x", "z"], ["x", "w"], ["y", "z"]])
    assert has_header([["a", "b"]])
    assert not has_header([["1", "2.5"]])


def test_names_that_repeat_get_numbers_that_no_other_has():
    assert distinct_names(["a", "a", "a_2", "b", "a"]) == ["a", "a_3", "a_2", "b", "a_4"]
