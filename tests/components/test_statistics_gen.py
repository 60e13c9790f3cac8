from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components import statistics_gen
from crossnet.components.example_gen import generate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records import batches
from crossnet.components.statistics.columns import by_column
from crossnet.components.statistics_gen import generate_statistics, shard_statistics
from support.validation_walk import as_csv, new_folder, rides


def examples_of(folder, text, **settings):
    source = new_folder(folder, "source") / "rides.csv"
    source.write_text(text)
    settings = {"source": "csv", "input": str(source), "label": "fare", "eval_fraction": 0.2} | settings
    return generate_examples(output_dir=new_folder(folder, "examples"), params=ExampleGenParams(**settings))


def statistics_of(folder, examples, **settings):
    return generate_statistics(
        examples, output_dir=new_folder(folder, "statistics"), params=StatisticsGenParams(**settings)
    )


def test_statistics_of_a_csv_file_by_split(tmp_path):
    text = "miles,seats,zone,fare\n1,2,JFK,5\n3,,LGA,7\n5,4,JFK,9\n7,4,,11\n100,1,EWR,2\n"
    statistics = statistics_of(tmp_path, examples_of(tmp_path, text))
    assert statistics.counts == {"columns": 4}
    assert sorted(str(path.relative_to(statistics.path)) for path in statistics.path.rglob("*.pb")) == [
        "Split-eval/FeatureStats.pb",
        "Split-train/FeatureStats.pb",
    ]
    dataset = statistics.proto("train").datasets[0]
    assert (dataset.name, dataset.num_examples) == ("train", 4)
    assert [feature.path.step[0] for feature in dataset.features] == ["miles", "seats", "zone", "fare"]
    train, held = by_column(statistics.proto("train")), by_column(statistics.proto("eval"))
    assert (train["miles"].num_stats.mean, train["miles"].num_stats.max) == (4.0, 7.0)
    assert train["seats"].num_stats.common_stats.num_missing == 1
    assert train["seats"].num_stats.mean == pytest.approx(10 / 3)
    assert [(b.label, b.sample_count) for b in train["zone"].string_stats.rank_histogram.buckets] == [
        ("JFK", 2),
        ("LGA", 1),
    ]
    assert held["zone"].string_stats.top_values[0].value == "EWR"


def test_statistics_of_the_article_s_table(tmp_path):
    examples = generate_examples(output_dir=new_folder(tmp_path, "examples"), params=ExampleGenParams())
    train = by_column(statistics_of(tmp_path, examples).proto("train"))
    assert train["y"].num_stats.std_dev == pytest.approx(0.6893, abs=5e-5)  # the mean predictor's RMSE
    assert train["x0"].num_stats.common_stats.num_non_missing == 90_000
    assert sum(bucket.sample_count for bucket in train["x0"].num_stats.histograms[0].buckets) == 90_000


def test_the_test_split_is_not_read(tmp_path):
    params = ExampleGenParams(num_examples=1000, test_fraction=0.3)
    examples = generate_examples(output_dir=new_folder(tmp_path, "examples"), params=params)
    for shard in examples.shards("test"):
        shard.unlink()
    statistics = statistics_of(tmp_path, examples)
    assert sorted(path.name for path in statistics.path.glob("Split-*")) == ["Split-eval", "Split-train"]


@settings(max_examples=8, deadline=None)
@given(num_shards=st.integers(2, 5), compression=st.sampled_from(["none", "gzip"]))
def test_statistics_merged_over_shards_equal_those_of_one_shard(tmp_path_factory, num_shards, compression):
    rows = rides(300)
    for row in rows[5::7]:
        row[1] = ""
    one, many = (tmp_path_factory.mktemp(name) for name in ("one", "many"))
    whole = statistics_of(one, examples_of(one, as_csv(rows)))
    parts = statistics_of(many, examples_of(many, as_csv(rows), num_shards=num_shards, compression=compression))
    for split in ("train", "eval"):
        expected, found = by_column(whole.proto(split)), by_column(parts.proto(split))
        for name, column in expected.items():
            for figure in ("mean", "std_dev"):
                value = getattr(found[name].num_stats, figure)
                assert value == pytest.approx(getattr(column.num_stats, figure), rel=1e-12)
                if column.HasField("num_stats"):
                    setattr(found[name].num_stats, figure, getattr(column.num_stats, figure))
            assert found[name].num_stats == column.num_stats
            assert found[name].string_stats == column.string_stats


def test_statistics_are_equal_to_the_byte_when_made_again(tmp_path):
    examples = examples_of(tmp_path, as_csv(rides()), num_shards=3)
    first = statistics_of(tmp_path / "a", examples)
    again = statistics_of(tmp_path / "b", examples)
    for split in ("train", "eval"):
        name = f"Split-{split}/FeatureStats.pb"
        assert (first.path / name).read_bytes() == (again.path / name).read_bytes()


def test_statistics_of_a_shard_can_be_sent_between_processes(tmp_path):
    import pickle

    examples = examples_of(tmp_path, as_csv(rides()))
    types = {column["name"]: column["type"] for column in examples.properties["columns"]}
    shard = shard_statistics(examples.shards("train")[0], "", types, StatisticsGenParams(), list(types))
    sent = pickle.loads(pickle.dumps(shard))
    assert {name: column.proto() for name, column in sent.items()} == {
        name: column.proto() for name, column in shard.items()
    }


def test_num_buckets_and_vocabulary_follow_the_settings(tmp_path):
    examples = examples_of(tmp_path, as_csv(rides()))
    statistics = statistics_of(tmp_path, examples, num_histogram_buckets=4, num_top_values=1, max_vocabulary=2)
    train = by_column(statistics.proto("train"))
    assert [len(histogram.buckets) for histogram in train["miles"].num_stats.histograms] == [4, 4]
    texts = train["zone"].string_stats
    assert (len(texts.top_values), len(texts.rank_histogram.buckets), texts.unique) == (1, 2, 3)


def test_validation_loads_no_tensorflow():
    import subprocess

    code = (
        "import sys; from crossnet.components import example_validator, schema_gen, statistics_gen; "
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_numbers_of_several_batches_are_summarised_at_once(tmp_path, monkeypatch):
    assert [statistics_gen._joined_batches(columns) for columns in (10, 128, 300, 1000, 10_000)] == [1, 1, 2, 4, 3]
    rows = [f"{n * 7919 % 10_007},{n % 13 or ''},zone {n % 50},{n / 8}\n" for n in range(10_000)]
    text = "miles,seats,zone,fare\n" + "".join(rows)
    found = []
    for folder, values in (("one", 1 << 23), ("many", 1)):  # batches of 8,000 and of 1,024 rows
        monkeypatch.setattr(batches, "_BATCH_VALUES", values)
        statistics = statistics_of(tmp_path / folder, examples_of(tmp_path / folder, text))
        found.append([path.read_bytes() for path in sorted(statistics.path.rglob("*.pb"))])
    assert found[0] == found[1]
