"""Writes and reads tf.train.Example records in TFRecord files."""
