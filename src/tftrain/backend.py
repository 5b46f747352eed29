"""TensorFlow and Keras, imported once, quickly, and in a state that repeats itself.

Every module that needs them takes `keras` and `tf` from here, so that no import can come first
and see other settings.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tftrain import stopping

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's kernels differ in their last bits from one kind of CPU to the next.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


@contextmanager
def _quick_import() -> Iterator[None]:
    """Leaves out what Keras imports without need, and the collector's walks meanwhile.

    Keras imports scikit-learn, if it is installed, for wrappers that tftrain doesn't use: as long
    as TensorFlow itself takes. A None in `sys.modules` makes that import fail, as Keras expects
    where scikit-learn is missing; afterwards others can import it.
    """
    hidden = "sklearn" not in sys.modules
    if hidden:
        sys.modules["sklearn"] = None  # type: ignore[assignment] # Python's way to say "not here"
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if hidden:
            del sys.modules["sklearn"]
        gc.freeze()
        if collecting:
            gc.enable()


@contextmanager
def _quiet() -> Iterator[None]:
    """Holds back what TensorFlow's C++ writes to stderr as it loads; all of it if loading fails.

    What Python writes meanwhile in another thread, such as an error in the data, gets through.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        if threading.current_thread() is not threading.main_thread():
            _let_python_through(os.dup(stderr))
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _let_python_through(stderr: int) -> None:
    """Leaves `sys.stderr` on a handle of its own, for good: loggers that are made now keep it."""
    before = sys.stderr
    sys.stderr = os.fdopen(stderr, "w", 1, encoding=before.encoding, errors=before.errors)


with _quick_import(), _quiet(), stopping.at_once():
    import keras
    import tensorflow as tf

__all__ = ["keras", "start", "tf", "versions"]


def start(seed: int, threads: int | None = None) -> None:
    """Sets everything that makes two runs alike.

    Args:
        seed: of Python, NumPy and TensorFlow.
        threads: of one operation; operations run one after another, which for small networks is
            also faster. None where nothing is trained: as many as there are.

    Raises:
        RuntimeError: when TensorFlow already runs with other thread counts.
    """
    keras.utils.clear_session(free_memory=False)  # it counts the names of layers it has made
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.disable_traceback_filtering()
    if threads is not None:
        _use(threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def _use(threads: int) -> None:
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    if tf.config.threading.get_inter_op_parallelism_threads() != 1:
        tf.config.threading.set_inter_op_parallelism_threads(1)


def versions() -> dict[str, str]:
    """What the weights depend on besides the config."""
    import numpy as np

    return {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
