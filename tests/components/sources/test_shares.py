from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.shares import share_out, shares, whole
from crossnet.components.sources.synthetic import SyntheticSource


def test_shares_are_runs_of_about_equal_weight():
    assert shares([5, 1, 1, 1, 1, 1], 2) == [(0, 1), (1, 6)]
    assert shares([1] * 10, 3) == [(0, 3), (3, 7), (7, 10)]
    assert shares([4, 6], 2) == [(0, 1), (1, 2)]
    assert shares([7], 4) == [(0, 1)]
    assert shares([0, 0], 1) == [(0, 2)]


def test_one_job_reads_all_units_of_a_source_that_is_not_cut():
    source = SyntheticSource(ExampleGenParams(generator="sharded", num_examples=200_000))
    ((read,),) = share_out(source, IN_PROCESS)
    assert (read.source, read.first, read.last) == (source, 0, len(source.sizes))
    assert sum(batch.rows.num_rows for batch in read.batches()) == 200_000
    assert whole(source, source) is source
