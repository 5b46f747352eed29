"""Networks of every public layer of Keras: what `check` passes can be built, what can't it names.

`python tests/test_networks.py 2000` tries as many and prints what it found.
"""

from __future__ import annotations

import random
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from tftrain import check, config, data
from tftrain.config import catalog
from tftrain.config.resolve import REFUSED, kinds_in
from tftrain.errors import ConfigError

NETWORKS = 200
BUILDING = ("K004", "K005", "K006")  # what is said where a network is built
LAYERS = sorted(
    {
        entry.definition: name
        for name, entry in reversed(catalog.load().objects["layer"].items())
        if name not in REFUSED
    }.values()
)
JOINING = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
ALONE = (*JOINING, "InputLayer", "MultiHeadAttention", "GroupQueryAttention", "StackedRNNCells")
CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell")
RECURRENT = ("GRU", "LSTM", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D")
FLAT = ("RepeatVector", "CategoryEncoding", "MelSpectrogram", "Dense", "Embedding")
ANYTHING = (None, 0, 1, -1, 2.5, "x", True, [], [0], [2, 2], [1, 2, 3, 4], {"a": 1})
RARELY = (
    "data_format",
    "dtype",
    "activity_regularizer",
    "quantization_config",
    "weights",
    "trainable",
    "autocast",
)
WRONG = 0.03  # of the arguments
BOTH = ("channels_last", "channels_last", "channels_first")
MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
# What an argument is mostly given; some mean other things in other layers.
VALUES = {
    **dict.fromkeys(("units", "filters", "depth_multiplier", "num_heads"), (1, 2, 3, 4)),
    **dict.fromkeys(("key_dim", "value_dim", "output_dim", "num_query_heads"), (2, 3)),
    **dict.fromkeys(("num_key_value_heads", "head_dim", "lora_rank"), (1, 2)),
    **dict.fromkeys(("input_dim", "num_tokens", "num_bins", "bins"), (2, 5, 9)),
    **dict.fromkeys(("height", "width"), (2, 3, 4, 9)),
    **dict.fromkeys(("rate", "dropout", "recurrent_dropout", "stddev"), (0, 0.2, 0.5, 1, 1.2)),
    **dict.fromkeys(("factor", "height_factor", "width_factor"), (0.1, 0.5, [0.1, 0.3], -0.3)),
    **dict.fromkeys(("x_factor", "y_factor", "hue_factor"), (0.1, [0.0, 0.5])),
    **dict.fromkeys(("brightness_factor", "contrast_factor", "saturation_factor"), (0.1, 0.5)),
    **dict.fromkeys(("axis", "axes"), (-1, -1, 1, 2, 3, -2, [1, 2], [-1])),
    **dict.fromkeys(("mean", "variance", "scale", "offset"), (0.5, 1, True, [1.0, 2.0])),
    **dict.fromkeys(("gamma", "epsilon", "momentum"), (0.1, 0.9)),
    **dict.fromkeys(("dtype", "reverse_dtype"), (None, "float32", "float16", "int32", "string")),
    **dict.fromkeys(("mask_value", "fill_value", "min_freq", "l1", "l2"), (0, 0.0, 1)),
    **dict.fromkeys(("negative_slope", "alpha", "max_value", "threshold"), (0, 0.1, 1.0)),
    **dict.fromkeys(("frame_length", "fft_length", "frame_step"), (1, 2, 4, 8)),
    **dict.fromkeys(("sequence_stride", "sequence_length", "num_mel_bins"), (2, 4)),
    "data_format": BOTH,
    "padding": ("valid", "same", "causal", 1, 2, [1, 0], [[1, 0], [2, 1]]),
    "cropping": (0, 1, [1, 0], [[1, 0], [0, 1]], [[1, 0], [0, 1], 1]),
    "groups": (1, 1, 2, 3, -1),
    "kernel_size": (1, 2, 3, 3, 5),
    "pool_size": (1, 2, 2, 3),
    "strides": (1, 1, 2, 3),
    "dilation_rate": (1, 1, 2),
    "output_padding": (0, 0, 1),
    "output_size": (1, 2, 4),
    "output_mode": MODES,
    "output_shape": (3, [3], [3, 2], [None, 2], [4, 2]),
    "equation": (
        *(
            "ab,bc->ac",
            "ab,bc->ac",
            "abc,cd->abd",
            "abc,cd->abd",
            "...x,xy->...y",
            "ab...,bc->ac...",
        ),
        *("abc,bc->ab", "abc,cd->ad", "ab,bc", "ab->b", "aab,bc->ac", "ab,bd->acd"),
    ),
    "bias_axes": ("c", "d", "cd", "y", "z"),
    "target_shape": ([-1], [-1, 2], [2, -1, 1], [3, 4], [4, 3, 2, 1]),
    "dims": ([1], [2, 1], [1, 3, 2], [3, 1, 2], [0, 1]),
    "n": (1, 2, 3),
    "size": (1, 2, 3, [2, 2]),
    "shared_axes": (None, [1], [1, 2], 1),
    "noise_shape": (None, [None, 1], [1, 1, 1], [3, 1]),
    "merge_mode": ("concat", "sum", "mul", "ave", None),
    "mode": ("horizontal", "vertical", "log", "psd"),
    "interpolation": ("nearest", "bilinear", "bicubic", "lanczos3"),
    "fill_mode": ("constant", "nearest", "wrap", "reflect"),
    "bin_boundaries": ([0.0, 1.0], [0.5], []),
    "vocabulary": ([1, 2, 3], ["a", "b"], None),
    "vocabulary_dtype": ("int64", "int32"),
    "max_tokens": (None, 5),
    "num_oov_indices": (0, 1, 2),
    "value_range": ([0, 1], [0, 255], [0.0, 1.0]),
    "bounding_box_format": ("xyxy", "rel_xyxy"),
    "score_mode": ("dot", "concat"),
    "attention_axes": ([1], [1, 2]),
    "quantization_config": (None, {}),
    "weights": (None, [[1.0]]),
    "shape": ([6], [4, 3], [2]),
    "batch_shape": ([None, 6], [2, 6], [None, 4, 3]),
    "batch_size": (None, 2),
    "pool_mode": (None, "max"),
    "renorm_clipping": (None, {"rmax": 3, "rmin": 0.3, "dmax": 5}),
    "normalize": (True, False),
    "max_number": (2, 5),
    "tile_grid_size": ([2, 2], [8, 8]),
    "clip_limit": (4, 1.0),
    "sigma": (1, 0.5),
    "num_ops": (1, 2),
    "salt": (None, 3, [1, 2]),
    "ngrams": (None, 2),
    "standardize": (None, "lower"),
    "split": (None, "character"),
    "window": ("hann", "hamming", None),
    "seed": (None, 3),
    "encoding": ("utf-8",),
    "power_iterations": (1, 2),
    "variables": (None,),
}


def drawn(rng, rank, depth=0, names=LAYERS):
    """A layer with arguments; mostly one for rows of `rank` axes."""
    name = rng.choice(names)
    for _ in range(4):
        if _suits(name, rank):
            break
        name = rng.choice(names)
    entry = catalog.load().objects["layer"][name]
    arguments = {}
    for argument, known in entry.arguments.items():
        if argument == "name":
            continue
        given = known.required or rng.random() < min(0.35, 2.5 / len(entry.arguments))
        if argument in RARELY and not known.required:
            given = rng.random() < 0.06
        if given:
            arguments[argument] = value(rng, name, argument, known, depth)
    return {name: arguments} if arguments else name


def _suits(name, rank):
    if name in ALONE or name.endswith("Attention"):
        return False
    if name.startswith("ConvLSTM"):
        return int(name[8]) + 2 == rank
    if name.endswith(("D", "DTranspose")):
        return int(name.removesuffix("Transpose")[-2]) + 1 == rank
    if name in RECURRENT or name in CELLS or name == "Bidirectional":
        return rank == (1 if name in CELLS else 2)
    if name.startswith(("Random", "Auto", "Aug", "Cut", "Mix", "Center", "Resiz", "Equal")):
        return rank == 3
    return True


def value(rng, name, argument, known, depth):
    """What an argument is given: mostly something that it takes."""
    if rng.random() < WRONG:
        return rng.choice(ANYTHING)
    inner = layers_inside(rng, name, argument, depth)
    if inner is not None:
        return inner
    kinds = kinds_in(argument)
    if kinds and kinds[0] in ("activation", "initializer", "regularizer", "constraint"):
        named = rng.choice(list(catalog.load().objects[kinds[0]].values()))
        given = {one: 0.5 for one in named.arguments if rng.random() < 0.1}
        return {named.name: given} if given else named.name
    return plain(rng, name, argument, known)


def layers_inside(rng, name, argument, depth):
    """Cells, a layer or layers, for the arguments that take them."""
    if argument == "cell":
        return cells(rng) if rng.random() < 0.5 else cells(rng)[0]
    if argument == "cells":
        return cells(rng)
    if argument == "layers":
        return [drawn(rng, 2, depth + 1) for _ in range(rng.randint(1, 2))]
    if argument.endswith("layer"):
        recurrent = name == "Bidirectional" and rng.random() < 0.9
        return drawn(rng, rng.randint(1, 3), depth + 1, RECURRENT if recurrent else LAYERS)
    return None


def plain(rng, name, argument, known):
    """A number, a word, a list: one of those in the table, or as its documentation says."""
    words = known.choices
    if argument == "padding":
        words = VALUES["padding"][3:] if name.startswith("ZeroPadding") else VALUES["padding"][:3]
    if not words and argument in VALUES:
        one = rng.choice(VALUES[argument])
        directions = int(name[-2]) if name[-1] == "D" and name[-2].isdigit() else 0
        several = directions and type(one) is int and rng.random() < 0.3
        return [one] * directions if several else one
    if words:
        return rng.choice(words)
    if "bool" in known.types or isinstance(known.default, bool):
        return rng.random() < 0.5
    return rng.choice((1, 2, 0.5)) if known.types else known.default


def cells(rng):
    """Cells for an RNN, now and then with a layer among them that is none."""
    pool = (*CELLS, *CELLS, "Dense", "StackedRNNCells")
    return [drawn(rng, 1, 1, (rng.choice(pool),)) for _ in range(rng.choice((1, 1, 2)))]


def network(seed):
    """One row's shape, and layers that end in a single number."""
    rng = random.Random(seed)  # noqa: S311 - no secrets
    rank = rng.randint(1, 4)
    inputs = tuple(rng.choice((1, 2, 3, 4, 6, 8)) for _ in range(rank))
    layers = [drawn(rng, rank) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    return inputs, [*layers, "Flatten", {"Dense": {"units": 1}}]


def written(seed, folder):
    """The network as a config with rows of its own."""
    inputs, layers = network(seed)
    rows = np.linspace(0, 1, 8 * int(np.prod(inputs)), dtype=np.float32).reshape(8, *inputs)
    np.savez(folder / "rows.npz", x=rows, y=np.arange(8.0))
    path = folder / f"{seed}.yaml"
    settings = {
        "data": {
            "source": str(folder / "rows.npz"),
            "split": {"train": 1.0, "validation": 0, "test": 0},
        },
        "model": {"layers": layers},
        "training": {"loss": "MeanSquaredError", "epochs": 1, "threads": 2},
    }
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def refused(path):
    """What Keras says as tftrain builds it for a training, or None."""
    from tftrain import backend, model

    settings, source = config.load(path)
    backend.start(0)
    try:
        model.build(settings, source, data.load(settings, source).form)
    except ConfigError as error:
        return str(error)
    return None


def tried(path):
    """What becomes of a network and what `check` says of it, in words that can be counted."""
    report = check.check(path)
    named = [one for one in report.problems if one.severity == "error" and one.code[0] != "N"]
    assert all(one.mark.line for one in named)
    if named and named[0].code not in BUILDING:
        return "refused by its names and arguments"
    fate = "refused" if refused(path) else "built"
    asked = ", after Keras was asked" if report.asked else ""
    return f"{fate}, {'named' if named else 'passed'}{asked}"


def counted(seeds, folder):
    """How often each thing became of the networks of some seeds; the odd ones are told."""
    counts = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of a softmax of one number, and goes on
        for seed in seeds:
            outcome = tried(written(seed, folder))
            counts[outcome] += 1
            if outcome.startswith(("refused, passed", "built, named")):
                print(outcome, seed, network(seed))  # noqa: T201 - pytest shows it for a failure
    return counts


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_what_check_passes_is_built_and_what_keras_refuses_is_named(tmp_path):
    counts = counted(range(NETWORKS), tmp_path)
    assert counts.total() == NETWORKS
    assert not counts["refused, passed"] + counts["refused, passed, after Keras was asked"]
    assert not counts["built, named"] + counts["built, named, after Keras was asked"]
    assert counts["refused, named"] > NETWORKS // 8
    assert counts["built, passed"] > NETWORKS // 8
    assert counts["built, passed, after Keras was asked"]


def test_every_layer_is_drawn():
    drawn_names = {
        next(iter(layer)) if isinstance(layer, dict) else layer
        for seed in range(3000)
        for layer in network(seed)[1]
    }
    assert drawn_names >= set(LAYERS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for outcome, count in sorted(counted(range(int(sys.argv[1])), Path(name)).items()):
            print(f"{count:6,} {outcome}")  # noqa: T201 - what it is for
