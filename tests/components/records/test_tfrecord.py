from __future__ import annotations

import gzip
import tracemalloc
import zlib
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossnet.components.errors import DataError
from crossnet.components.records.tfrecord import (
    add_uint32_crcs,
    crc_table,
    frame_start,
    length_crcs,
    read_chunks,
    read_records,
)
from crossnet.serving.protocol.tfrecord import mask_crc, write_frame


def records_of(path: Path, compression: str = "") -> list[bytes]:
    return [
        data[start : start + size]
        for data, offsets, lengths, _ in read_records(path, compression)
        for start, size in zip(offsets.tolist(), lengths.tolist(), strict=True)
    ]


@pytest.mark.parametrize("following", [0, 1, 17, 300])
def test_crc_table_turns_one_checksum_into_another(following: int) -> None:
    before, value = b"abcde", 0xBEEF
    tail = bytes(range(following % 256)) + bytes(following - following % 256)
    zero = google_crc32c.value(before + bytes(2) + tail)
    expected = google_crc32c.value(before + value.to_bytes(2, "little") + tail)
    assert zero ^ int(crc_table(2, following)[value]) == expected


def test_add_uint32_crcs_adds_a_number_to_each_checksum() -> None:
    numbers = np.array([0, 1, 0xDEADBEEF, 0xFFFFFFFF], np.uint32)
    crcs = np.full(4, google_crc32c.value(b"head" + bytes(4) + b"tail"), np.uint32)
    add_uint32_crcs(crcs, numbers, following=4)
    assert crcs.tolist() == [google_crc32c.value(b"head" + int(n).to_bytes(4, "little") + b"tail") for n in numbers]


def test_length_crcs_are_those_of_the_header() -> None:
    lengths = np.array([0, 1, 255, 65_536, 2**33 + 7])
    expected = [mask_crc(google_crc32c.value(int(n).to_bytes(8, "little"))) for n in lengths]
    assert length_crcs(lengths).tolist() == expected
    assert length_crcs(lengths[:3]).tolist() == expected[:3]


def test_frame_start_finds_a_record_among_equal_and_unequal_ones() -> None:
    equal, unequal = [b"aa", b"bb", b"cc"], [b"a", b"bbbb", b"cc"]
    for records in (equal, unequal):
        data = b"".join(map(write_frame, records))
        assert data[frame_start(data, 2, 3) :] == write_frame(b"cc")


def test_read_records_gives_records_across_chunks_and_members(tmp_path: Path) -> None:
    records = [bytes([n % 256]) * (n * 37 % 3000) for n in range(4000)] + [bytes(9_000_000)]
    data = b"".join(map(write_frame, records))
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data[:5_000_000]) + gzip.compress(data[5_000_000:]))
    assert records_of(plain) == records
    assert records_of(packed, "GZIP") == records


def test_read_records_gives_nothing_for_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert records_of(tmp_path / "empty") == []


@pytest.mark.parametrize("cut", [1, 5, 30, 40])
def test_read_records_names_the_record_in_which_a_file_ends(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "records"
    path.write_bytes((write_frame(b"x" * 20) * 3)[:-cut] if cut < 36 else write_frame(b"x" * 20) * 2 + b"1234567")
    record = 1 if cut == 36 else 2
    with pytest.raises(DataError, match=rf"records` ends in the middle of record {record}: the file is truncated"):
        records_of(path)


@pytest.mark.parametrize(("byte", "part"), [(0, "length"), (9, "length"), (15, "data"), (33, "data")])
def test_read_records_names_the_damaged_record(tmp_path: Path, byte: int, part: str) -> None:
    data = bytearray(write_frame(b"x" * 20) * 3)
    data[36 + byte] ^= 1
    (tmp_path / "records").write_bytes(data)
    with pytest.raises(DataError, match=rf"the checksum \(CRC32C\) of the {part} of record 1 is wrong"):
        records_of(tmp_path / "records")


def test_read_chunks_refuses_data_that_is_not_gzip_and_gzip_that_ends_early(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(write_frame(b"x"))
    with pytest.raises(DataError, match="plain` cannot be decompressed as GZIP"):
        list(read_chunks(tmp_path / "plain", "GZIP"))
    (tmp_path / "cut").write_bytes(gzip.compress(zlib.compress(bytes(range(256)) * 50))[:-12])
    with pytest.raises(DataError, match="cut` ends in the middle of its GZIP data"):
        list(read_chunks(tmp_path / "cut", "GZIP"))


def test_absurd_length_is_refused_before_the_file_is_read_for_it(tmp_path: Path) -> None:
    length = (2**50).to_bytes(8, "little")
    header = length + mask_crc(google_crc32c.value(length)).to_bytes(4, "little")
    path = tmp_path / "records"
    path.write_bytes(gzip.compress(write_frame(b"x") + header + bytes(50_000_000), 1))
    tracemalloc.start()
    with pytest.raises(
        DataError, match="record 1 has 1,125,899,906,842,624 bytes by its header; a record holds at most 32 MiB"
    ):
        records_of(path, "GZIP")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_read_chunks_unpacks_a_thousandfold_in_bounded_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "zeros", "wb", 9) as stream:
        for _ in range(100):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    sizes = [len(chunk) for chunk in read_chunks(tmp_path / "zeros", "GZIP", 1 << 20)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sum(sizes), max(sizes) < 2 << 20, peak < 6 << 20) == (100 << 20, True, True)


def test_read_chunks_takes_many_small_members_and_padding_in_linear_time(tmp_path: Path) -> None:
    member = gzip.compress(b"")
    (tmp_path / "members").write_bytes(
        gzip.compress(b"a") + bytes(700) + member * 100_000 + gzip.compress(b"b") + bytes(9)
    )
    assert list(read_chunks(tmp_path / "members", "GZIP")) == [b"ab"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=20), max_size=4), st.binary(max_size=20), st.integers(0, 200), st.booleans())
def test_any_bytes_are_records_or_an_error_that_names_the_file(
    tmp_path: Path, records: list[bytes], change: bytes, place: int, packed: bool
) -> None:
    good = b"".join(map(write_frame, records))
    data = good[:place] + change + good[place + len(change) :]
    (tmp_path / "records").write_bytes(gzip.compress(data) if packed else data)
    try:
        found = records_of(tmp_path / "records", "GZIP" if packed else "")
        refused = ""
    except DataError as error:
        found, refused = [], str(error)
    if refused:
        assert data != good
        assert refused.startswith(f"`{tmp_path / 'records'}`")
    else:
        assert data == b"".join(map(write_frame, found))
