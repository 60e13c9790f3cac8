import numpy as np
import pyarrow as pa
import pytest

from crossnet.pipeline.init.cell_counts import CellCounts


def counts_of(*batches):
    counts, values = CellCounts(), []
    row = 0
    for batch in batches:
        coded = pa.array(batch).dictionary_encode()
        indices = coded.indices.to_numpy()
        rows = np.bincount(indices)
        first = np.array([int(np.argmax(indices == value)) for value in range(len(rows))])
        values += list(np.asarray(counts.update(coded.dictionary, rows, first, (0, row)))[indices])
        row += len(batch)
    return counts, values


def test_numbers_whole_numbers_and_leading_zeros_are_counted():
    counts, values = counts_of(["1", "2.5", " 3 ", "007", "+4", "1e3", "0", "0.5"])
    assert dict(counts.forms) == {"number": 8, "whole": 5, "zero": 1}
    assert values == [1, 2.5, 3, 7, 4, 1000, 0, 0.5]
    assert counts.examples["zero"] == ("007", 0, 3)


@pytest.mark.parametrize("late", [False, True], ids=["in the first batch", "in a later batch"])
@pytest.mark.parametrize(
    ("cells", "forms"),
    [
        (["NA", "n/a", "-"], {"null": 3}),
        (["NaN", "nan"], {"nan": 2}),
        (["true", "False"], {"truth": 2}),
        (["yes", "No"], {"word of truth": 2}),
        (["2026-01-02", "2026-01-02T10:00:00+01:00"], {"time": 2}),
        (["0,5", "1,25"], {"comma": 2}),
        (["1,234,567", "1,234.5"], {"grouped": 2}),
        (["1.234,5", "2.345.678,9"], {"grouped comma": 2}),
        (["1/31/2026", "12/31/2026"], {"date": 2}),
        (["north", "12 apples"], {"other": 2}),
    ],
)
def test_a_cell_has_one_form_in_every_batch(cells, forms, late):
    counts, _ = counts_of(cells, cells, cells) if late else counts_of(cells)
    assert {form: count for form, count in counts.forms.items() if count} == {
        form: count * (3 if late else 1) for form, count in forms.items()
    }
    assert next(iter(counts.examples.values())) == (cells[0], 0, 0)


def test_numbers_with_marks_have_their_value():
    cells = ["0,5", "-1,25", "1,234,567", "1.234,5", "1 234", "12'345.5"]
    assert counts_of(cells, cells)[1] == [0.5, -1.25, 1_234_567, 1234.5, 1234, 12_345.5] * 2


def test_three_digits_behind_one_comma_may_be_thousands():
    counts, _ = counts_of(["1,234", "0,5"], ["2,345", "0,123"])
    assert (counts.forms["comma"], counts.three) == (4, 2)


def test_a_date_counts_for_each_format_that_reads_it():
    counts, values = counts_of(["1/2/1970", "1/3/1970"], ["1/31/1970", "1/2/1970"])
    assert dict(counts.formats) == {"%m/%d/%Y": 4, "%d/%m/%Y": 3}
    assert values[2] == 30 * 86_400


def test_an_odd_cell_is_kept_with_its_row():
    counts, _ = counts_of(["1", "2"], ["3", "Total", "Sum"])
    assert counts.examples["other"] == ("Total", 0, 3)
    assert dict(counts.words["other"]) == {"Total": 1, "Sum": 1}


def test_a_column_of_words_is_not_looked_at_to_its_end():
    words = [f"word {n}" for n in range(20_000)]
    counts, _ = counts_of(words, words)
    assert (counts.cells, counts.looked, counts.is_words) == (40_000, 20_000, True)
    assert len(counts.words["other"]) == 30


def test_leading_zeros_are_counted_in_a_first_batch_of_any_size():
    counts, _ = counts_of(["80331"] * 12_000 + ["01234"] * 500)
    assert dict(counts.forms) == {"number": 12_500, "whole": 12_500, "zero": 500}
    assert counts.examples["zero"] == ("01234", 0, 12_000)
    fractions, _ = counts_of(["0.5"] * 3000, ["1"] * 10)  # then no whole numbers are looked for
    assert fractions.forms["whole"] == 0


def test_a_day_that_no_month_has_is_odd_also_among_times_that_were_known_before():
    counts, values = counts_of(["2026-01-02"], ["2026-01-03", "2026-02-30", "2026-01-04T00:00:00Z"])
    assert +counts.forms == {"time": 3, "other": 1}
    assert counts.words["other"] == {"2026-02-30": 1}
    assert values[1] == values[0] + 86400
    assert np.isnan(values[2])
    assert values[3] == values[0] + 2 * 86400
