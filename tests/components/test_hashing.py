import numpy as np

from crossnet.components.hashing import mix


def test_mix_is_splitmix64():
    # The first two outputs of splitmix64 from seed 0, as its authors' reference gives them.
    assert mix(np.array([0, 0x9E3779B97F4A7C15], np.uint64)).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_mix_leaves_its_argument_as_it_is():
    values = np.arange(3, dtype=np.uint64)
    mix(values)
    assert values.tolist() == [0, 1, 2]
