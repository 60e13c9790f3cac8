import subprocess
import sys

FAKE = """
import os
os.write(2, b"chatter of C++\\n")
{end}
"""
CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crossnet.serving.embedded.quiet import import_tensorflow; import_tensorflow()"
)
LOGGER = "import logging\ndef get_logger(): return logging.getLogger('tensorflow')"


def run(folder, end):
    (folder / "tensorflow.py").write_text(FAKE.format(end=end))
    return subprocess.run([sys.executable, "-c", CODE, str(folder)], capture_output=True, text=True)


def test_import_tensorflow_keeps_its_chatter_to_itself(tmp_path):
    done = run(tmp_path, LOGGER)
    assert (done.returncode, done.stderr) == (0, "")


def test_import_tensorflow_shows_all_when_the_import_fails(tmp_path):
    done = run(tmp_path, "raise ImportError('no such library')")
    assert done.returncode == 1
    assert "chatter of C++" in done.stderr
    assert "no such library" in done.stderr


def test_import_tensorflow_does_nothing_where_it_is_there_already():
    import tensorflow as tf

    level = tf.get_logger().level
    from crossnet.serving.embedded.quiet import import_tensorflow

    import_tensorflow()
    assert tf.get_logger().level == level
