"""Predictions beside what is true in, what is to be said of them out; no TensorFlow."""

from tftrain.scores.form import Assessment

__all__ = ["Assessment"]
