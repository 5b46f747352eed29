"""Layers that make spectra of sounds: their rules."""

from __future__ import annotations

import math

from tftrain.config.resolve import Resolved
from tftrain.config.shapes.arguments import (
    Output,
    Refusal,
    Shape,
    Size,
    Unknown,
    channels_first,
    refused,
    rows,
    whole,
    word,
)

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
_WINDOWS = ("hann", "hamming")
_MEL = ("fft_length", "sequence_stride", "sequence_length", "num_mel_bins", "window", "name")


def mel(layer: Resolved, shape: Shape) -> Output:
    """For each band the strength at each stop."""
    fft, stride = whole(layer, "fft_length"), whole(layer, "sequence_stride")
    bins = whole(layer, "num_mel_bins")
    length = fft if layer.get("sequence_length") is None else whole(layer, "sequence_length")
    if length > fft:
        raise refused("sequence_length", f"at most `fft_length`, {fft}", length)
    if len(shape) != 1 or set(layer.arguments) - {*_MEL} or layer.get("window") not in _WINDOWS:
        raise Unknown
    (size,) = shape
    if size is None:
        raise Unknown
    if fft // 2 >= size:
        raise Refusal(f"half of its `fft_length`, {fft // 2}, must be less than the {size} steps")
    stops = (size + 2 * (fft // 2) - fft) // stride + 1
    if stops != (size + stride + 1) // stride:
        raise Unknown  # Keras says one thing and computes another
    return (bins, stops), 0


def stft(layer: Resolved, shape: Shape) -> Output:
    """For each channel and frequency the strength at each stop."""
    mode = word(layer, "mode", _MODES, exactly=True)
    padding = word(layer, "padding", ("valid", "same"), exactly=True)
    frame, step, fft = _lengths(layer)
    first = channels_first(layer)
    rows(shape, "(steps, channels)")
    odd = layer.get("window") not in _WINDOWS or layer.get("scaling") not in ("density", "spectrum")
    if first or odd:
        raise Unknown
    size, channels = shape
    if padding == "valid" and size is not None and frame > size:
        raise Refusal(f"its frames of {frame} are longer; or give `padding: same`")
    margin = frame if padding == "valid" else 1
    stops: Size = None if size is None else (size - margin) // step + 1
    bins = fft // 2 + 1
    parameters = frame * bins * (1 if mode in ("real", "imag") else 2)
    bins *= 2 if mode == "stft" else 1
    if layer.get("expand_dims"):
        return (stops, bins, channels), parameters
    return (stops, None if channels is None else bins * channels), parameters


def _lengths(layer: Resolved) -> tuple[int, int, int]:
    """Of a frame, of a step, and of what is transformed."""
    frame = whole(layer, "frame_length")
    step = frame // 2 if layer.get("frame_step") is None else whole(layer, "frame_step")
    if step > frame:
        raise refused("frame_step", f"at most `frame_length`, {frame}", step)
    given = layer.get("fft_length")
    fft = 2 ** math.ceil(math.log2(frame)) if given is None else whole(layer, "fft_length")
    if fft < frame:
        raise refused("fft_length", f"at least `frame_length`, {frame}", fft)
    if not step:
        raise Unknown
    return frame, step, fft
