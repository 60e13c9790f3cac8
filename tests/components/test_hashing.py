import numpy as np

from crossnet.components.hashing import hash_texts, mix


def test_mix_is_splitmix64():
    # The first two outputs of splitmix64 from seed 0, as its authors' reference gives them.
    assert mix(np.array([0, 0x9E3779B97F4A7C15], np.uint64)).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_mix_leaves_its_argument_as_it_is():
    values = np.arange(3, dtype=np.uint64)
    mix(values)
    assert values.tolist() == [0, 1, 2]


def hashes_of(*texts: bytes) -> list[int]:
    offsets = np.cumsum([0, *map(len, texts)])
    return hash_texts(offsets, b"".join(texts)).tolist()


def test_equal_texts_have_equal_hashes_wherever_they_stand():
    texts = [b"", b"a", b"zone 1", b"12345678", b"123456789", b"0123456789abcdef", b"0123456789abcdefg" * 9]
    alone = [hashes_of(text)[0] for text in texts]
    assert hashes_of(*texts, *reversed(texts)) == alone + alone[::-1]
    offsets = np.array([3, 4, 10], np.int32)  # of a slice of a longer array
    assert hash_texts(offsets, b"xyzazone 1and more").tolist() == alone[1:3]


def test_hashes_of_texts_are_these_in_every_process():
    assert hashes_of(b"", b"zone 1", b"a text of more than 16 bytes") == [
        12035550249420947055,
        1456857692472008084,
        8068572591527457551,
    ]


def test_texts_that_differ_in_one_byte_in_their_order_or_in_zeros_at_the_end_have_different_hashes():
    long = bytes(range(100))
    changed = [long[:n] + bytes([long[n] ^ 1]) + long[n + 1 :] for n in range(100)]
    swapped = [long[:8] + long[16:24] + long[8:16] + long[24:]]  # two words
    zeros = [bytes(n) for n in range(40)]
    texts = [long, *changed, *swapped, *zeros, *(b"%d" % n for n in range(100_000))]
    assert len(set(hashes_of(*texts))) == len(texts)


def test_no_texts_have_no_hashes():
    assert len(hash_texts(np.array([0]), b"")) == 0
    assert len(hash_texts(np.array([5], np.int32), b"12345")) == 0
