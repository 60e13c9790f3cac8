import os

from crossnet.pipeline.run_state import LOG_FILE, at_work, is_at_work


def test_run_is_at_work_inside_and_not_after_an_error(tmp_path):
    try:
        with at_work(tmp_path):
            assert is_at_work(tmp_path)
            assert is_at_work(tmp_path)  # asking takes nothing from it
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert not is_at_work(tmp_path)


def test_run_is_at_work_as_long_as_its_process_whatever_it_starts(tmp_path):
    with at_work(tmp_path):
        descriptors = os.listdir("/proc/self/fd")
        assert [n for n in map(int, descriptors) if _is(n, tmp_path / LOG_FILE) and os.get_inheritable(n)] == []


def _is(descriptor, path):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
    except OSError:  # the listing's own, closed by now
        return False


def test_folder_without_a_log_has_no_run_at_work(tmp_path):
    assert not is_at_work(tmp_path)
