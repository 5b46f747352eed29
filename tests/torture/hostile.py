"""Runs and data files of someone who means harm; as a script, what each comes to and how soon.

`python tests/torture/hostile.py` prints a table: the artifact, the command, seconds, the one line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from tftrain import __main__, checkpoint, config, files, recorded, runs
from tftrain.checkpoint import Checkpoint, State
from tftrain.data.preparation import Preparation
from tftrain.data.table.columns import Category, Columns, Number

SECRET = "the-secret-that-nobody-may-see"  # noqa: S105 - no password
HUGE = 10**15
LONG = 40 * 1024 * 1024  # less than what has TensorFlow imported meanwhile
ROWS = 20
KERNEL, BIAS = "network/dense/kernel", "network/dense/bias"
COLUMNS = "preparation/columns"
SUMMARY = {
    "format_version": 1,
    "name": "r",
    "state": "finished",
    "smoke": False,
    "started": "2026-01-01T00:00:00+00:00",
    "inputs": [3],
    "labels": [],
    "classes": ["no", "yes"],
    "rows": {"train": 12, "validation": 4, "test": 4},
    "fingerprint": "00",
    "best_epoch": 1,
    "metrics": {"test": {"loss": 0.1}},
    "seconds": {"total": 1.5},
}
LAYERS = """\
  layers:
  - Dense:
      units: 2
      activation: softmax
"""
CONFIG = f"""\
data:
  source: SOURCE
model:
{LAYERS}training:
  loss: SparseCategoricalCrossentropy
  threads: 2
  epochs: 1
"""
PREPARATION = Columns(
    (Number("a", 0.0), Category("b", ("x",))), {}, {"a": "DOUBLE", "b": "VARCHAR"}
)


class Place:
    """A folder with a sound run in it, to be spoilt.

    Args:
        root: holds the rows, a secret beside the runs, and the mark that foreign code would leave.
        table: whether the run was trained on a table.
    """

    def __init__(self, root: Path, *, table: bool = False) -> None:
        self.root, self.runs, self.run = root, root / "runs", root / "runs" / "r-1"
        self.run.mkdir(parents=True)
        self.secret, self.mark = root / "secret.txt", root / "code-ran"
        self.secret.write_text(f"{SECRET}\n")
        self.rows = root / ("rows.csv" if table else "rows.npz")
        x = np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3)
        y = np.array(["no", "yes"])[np.arange(ROWS) % 2]
        np.savez(root / "rows.npz", x=x, y=y)
        cells = "".join(f"{row},x,{label}\n" for row, label in enumerate(y))
        (root / "rows.csv").write_text(f"a,b,y\n{cells}")
        source = f"{self.rows}\n  target: y" if table else str(self.rows)
        (self.run / runs.RESOLVED).write_text(CONFIG.replace("SOURCE", source))
        learnt = Preparation(columns=PREPARATION) if table else Preparation()
        self.arrays = recorded.kept(
            {KERNEL: np.ones((3, 2), np.float32), BIAS: np.zeros(2, np.float32)}, learnt
        )
        files.write_arrays(self.run / runs.WEIGHTS, self.arrays)
        (self.run / runs.SUMMARY).write_text(json.dumps(SUMMARY))

    def change(self, old: str, new: str, name: str = runs.RESOLVED) -> None:
        """Replaces some text of a run's file."""
        path = self.run / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))

    def layer(self, written: str) -> None:
        """Puts another network into the config."""
        self.change(LAYERS, f"  layers: {written}\n")

    def summary(self, **changes) -> None:
        (self.run / runs.SUMMARY).write_text(json.dumps(SUMMARY | changes))

    def weights(self, **changes) -> None:
        """Writes other arrays; `__` in a name stands for `/`, None leaves one out."""
        named = {name.replace("__", "/"): array for name, array in changes.items()}
        kept = {name: one for name, one in (self.arrays | named).items() if one is not None}
        files.write_arrays(self.run / runs.WEIGHTS, kept)

    def plan(self, **changes) -> None:
        """Writes another plan of what a table's columns become."""
        plain = PREPARATION.plain() | changes
        self.weights(preparation__columns=np.frombuffer(json.dumps(plain).encode(), np.uint8))

    def archive(self, entries, *, packed: bool = False) -> None:
        """Writes entries of bytes as the run's weights, with a checksum that is right."""
        method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", method) as made:
            for name, body in entries:
                made.writestr(name, body)
        self.sealed(content.getvalue())

    def sealed(self, content: bytes) -> None:
        end = files._seal(content)  # noqa: SLF001 - as any stranger can
        (self.run / runs.WEIGHTS).write_bytes(content[:-2] + end)

    def link(self, name: str) -> None:
        (self.run / name).unlink()
        (self.run / name).symlink_to(self.secret)

    def fifo(self, name: str) -> None:
        (self.run / name).unlink()
        os.mkfifo(self.run / name)


class Payload:
    """What leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def entry(array) -> bytes:
    """An array as NumPy saves it."""
    content = io.BytesIO()
    npy.write_array(content, np.asarray(array), allow_pickle=False)
    return content.getvalue()


def header(shape, described: str = "<f4", body: bytes = b"") -> bytes:
    """An array's header that may promise anything."""
    text = f"{{'descr': {described!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body


def pickled(place: Place) -> bytes:
    objects = pickle.dumps(np.array([Payload(place.mark)], object))
    return header((1,), "|O", objects)


def sound(**changes):
    """The entries of sound weights, some of them changed."""
    named = {KERNEL: entry(np.ones((3, 2), np.float32)), BIAS: entry(np.zeros(2, np.float32))}
    named |= {name.replace("__", "/"): body for name, body in changes.items()}
    return [(f"{name}.npy", body) for name, body in named.items()]


def overlapping(place: Place) -> None:
    """A thousand names for the same bytes: what is small on the disk is large in memory."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("w.npy", entry(np.zeros(10**5, np.float32)))
        first = made.infolist()[0]
        for number in range(1000):
            other = zipfile.ZipInfo(f"w{number}.npy")
            other.header_offset, other.CRC = first.header_offset, first.CRC
            other.file_size = other.compress_size = first.file_size
            made.filelist.append(other)
            made.NameToInfo[other.filename] = other
        made._didModify = True  # noqa: SLF001 - it has to write its list anew
    place.sealed(content.getvalue())


def sparse(place: Place) -> None:
    with (place.run / runs.WEIGHTS).open("wb") as file:
        file.truncate(1 << 43)


def linked_folder(place: Place) -> None:
    (place.run / runs.WEIGHTS).unlink()
    (place.run / runs.WEIGHTS).symlink_to(place.root, target_is_directory=True)


def as_folder(place: Place) -> None:
    (place.run / runs.SUMMARY).unlink()
    (place.run / runs.SUMMARY).mkdir()


def device(place: Place) -> None:
    (place.run / runs.SUMMARY).unlink()
    (place.run / runs.SUMMARY).symlink_to("/dev/zero")


def duplicated(place: Place) -> None:
    first = sound()
    with contextlib.suppress(UserWarning):
        place.archive([*first, (first[0][0].replace("kernel", "kernal"), first[0][1])])
    path = place.run / runs.WEIGHTS
    content = path.read_bytes().replace(b"kernal", b"kernel")[: -2 - 7 - 64] + b"\0\0"
    place.sealed(content)


def encrypted(place: Place) -> None:
    place.archive(sound())
    content = bytearray((place.run / runs.WEIGHTS).read_bytes()[: -2 - 7 - 64] + b"\0\0")
    start = 0
    while (start := content.find(b"PK\1\2", start)) >= 0:
        content[start + 8] |= 1
        start += 4
    place.sealed(bytes(content))


def aliases(place: Place) -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    (place.run / runs.RESOLVED).write_text("\n".join(lines))


def code(place: Place) -> str:
    return f"__import__('os').mkdir('{place.mark}')"


def lookup(place: Place) -> str:
    return f"[{{IntegerLookup: {{vocabulary: '{place.secret}'}}}}, {{Dense: {{units: 2}}}}]"


def injected(place: Place) -> None:
    """A column's type that ends the call of duckdb and writes a file of its own."""
    said = f"VARCHAR'}}); COPY (SELECT 1) TO '{place.mark}'; --"
    place.plan(types={"a": "DOUBLE", "b": said})


# name: (what is done to a sound run, what is said of it)
RUNS = {
    "summary that is a link": (lambda p: p.link(runs.SUMMARY), "it is a link"),
    "config that is a link": (lambda p: p.link(runs.RESOLVED), "it is a link"),
    "weights that are a link": (lambda p: p.link(runs.WEIGHTS), "it is a link"),
    "weights that link to a folder": (linked_folder, "it is a link"),
    "summary that links to a device": (device, "it is a link"),
    "summary that is a folder": (as_folder, "it is a folder"),
    "summary that is a pipe": (lambda p: p.fifo(runs.SUMMARY), "a pipe or a device"),
    "config that is a pipe": (lambda p: p.fifo(runs.RESOLVED), "a pipe or a device"),
    "weights that are a pipe": (lambda p: p.fifo(runs.WEIGHTS), "a pipe or a device"),
    "weights larger than memory": (sparse, "bytes: expected at most"),
    "summary too large": (
        lambda p: (p.run / runs.SUMMARY).write_bytes(b" " * 2**25),
        "bytes: expected at most",
    ),
    "config too large": (
        lambda p: (p.run / runs.RESOLVED).write_bytes(b"#" * 2**19),
        "larger than 256 KiB",
    ),
    "summary nested deeply": (
        lambda p: (p.run / runs.SUMMARY).write_text("[" * 10**5),
        "not a JSON object",
    ),
    "summary nested less deeply": (
        lambda p: p.summary(best_epoch=json.loads("[" * 50 + "]" * 50)),
        "not a JSON object",
    ),
    "NaN in the summary": (
        lambda p: p.summary(metrics={"test": {"loss": float("nan")}}),
        "not a JSON object",
    ),
    "Infinity in the summary": (
        lambda p: p.change("0.1}", "1e999}", runs.SUMMARY),
        "`metrics` is missing or wrong",
    ),
    "a huge whole number as a metric": (
        lambda p: p.change("0.1}", "1" * 4000 + "}", runs.SUMMARY),
        "`metrics` is missing or wrong",
    ),
    "more digits than Python reads": (
        lambda p: p.change("0.1}", "1" * 10**6 + "}", runs.SUMMARY),
        "not a JSON object",
    ),
    "a huge number of rows": (
        lambda p: p.summary(rows={"train": 10**300}),
        "`rows` is missing or wrong",
    ),
    "format version 0": (lambda p: p.summary(format_version=0), "format version 0"),
    "a newer format version": (lambda p: p.summary(format_version=2), "format version 2"),
    "a format version of text": (
        lambda p: p.summary(format_version="\x1b[2J" * 1000),
        'format version "\\u001b[2J',
    ),
    "a state that clears the screen": (
        lambda p: p.summary(state="\x1b[2J\nfinished"),
        "its state is `\\x1b[2J\\nfinished`",
    ),
    "rows that no memory holds": (
        lambda p: p.summary(inputs=[HUGE]),
        "larger than this machine's memory",
    ),
    "a network that no memory holds": (
        lambda p: p.layer(f"[{{Dense: {{units: {HUGE}}}}}]"),
        "this machine has",
    ),
    "a Lambda layer": (lambda p: p.layer(f'[{{Lambda: {{function: "{code(p)}"}}}}]'), "K001"),
    "a Lambda in another layer": (
        lambda p: p.layer(
            f'[{{TimeDistributed: {{layer: {{Lambda: {{function: "{code(p)}"}}}}}}}}]'
        ),
        "it runs Python code",
    ),
    "python_lambda": (
        lambda p: p.layer(f'[{{Dense: {{units: 2, activation: {{python_lambda: "{code(p)}"}}}}}}]'),
        "expected a Keras name",
    ),
    "a class named by its module": (
        lambda p: p.layer(
            "[{Dense: {units: 2, bias_initializer: {module: os, class_name: system, config: {}}}}]"
        ),
        "expected a Keras name",
    ),
    "a class named in a plain argument": (
        lambda p: p.layer("[{Flatten: {data_format: {class_name: Lambda, config: {}}}}]"),
        "error[K00",
    ),
    "a program from a file": (
        lambda p: p.layer(f"[{{TFSMLayer: {{filepath: '{p.root}'}}}}]"),
        "it runs a program from a file",
    ),
    "a vocabulary from a file": (lambda p: p.layer(lookup(p)), "expected a list"),
    "code for a number": (lambda p: p.layer(f'[{{Dense: {{units: "{code(p)}"}}}}]'), "K007"),
    "code for a name": (lambda p: p.layer(f'["{code(p)}"]'), "K001"),
    "a callback that leaves the run": (
        lambda p: p.change(
            "  epochs: 1", f"  epochs: 1\n  callbacks: [{{CSVLogger: {{filename: {p.mark}}}}}]"
        ),
        "expected a path inside the run directory",
    ),
    "a callback that climbs out of the run": (
        lambda p: p.change(
            "  epochs: 1",
            "  epochs: 1\n  callbacks: [{ModelCheckpoint: {filepath: ../../code-ran.keras}}]",
        ),
        "expected a path inside the run directory",
    ),
    "a YAML tag": (
        lambda p: p.change("model:", "model: !!python/object/apply:os.mkdir"),
        "tag `!!python/object/apply:os.mkdir`",
    ),
    "YAML aliases": (aliases, "alias `*a0`"),
    "YAML nested deeply": (
        lambda p: (p.run / runs.RESOLVED).write_text("a: " + "[" * 10**5),
        "nested",
    ),
    "a config that extends a secret": (
        lambda p: p.change("data:", f"extends: {p.secret}\ndata:"),
        "stands alone",
    ),
    "a config that asks the environment": (
        lambda p: p.layer("[{Dense: {units: 2, activation: '${env:TFTRAIN_SECRET}'}}]"),
        "takes nothing from the environment",
    ),
    "the environment behind an escape": (
        lambda p: p.layer("[{Dense: {units: 2, activation: '$${x}${env:TFTRAIN_SECRET:y}'}}]"),
        "takes nothing from the environment",
    ),
    "ANSI in a layer's name": (
        lambda p: p.layer('[{"\\e[31mDense": {units: 2}}]'),
        "called `\\x1b[31mDense`",
    ),
    "pickled weights": (
        lambda p: p.archive(sound(network__dense__kernel=pickled(p))),
        "expected numbers, got object",
    ),
    "a pickle instead of an archive": (
        lambda p: p.sealed(pickle.dumps(Payload(p.mark)) + b"\0\0"),
        "not an archive of arrays",
    ),
    "a pickle instead of an array": (
        lambda p: p.archive(sound(network__dense__kernel=pickle.dumps(Payload(p.mark)))),
        "not an archive of arrays",
    ),
    "packed weights": (
        lambda p: p.archive(sound(), packed=True),
        "not packed or encrypted",
    ),
    "a zip bomb": (
        lambda p: p.archive([("w.npy", entry(np.zeros(10**7)))], packed=True),
        "not packed or encrypted",
    ),
    "a bomb of overlapping entries": (overlapping, "promise more bytes than it has"),
    "encrypted weights": (encrypted, "not packed or encrypted"),
    "an entry twice": (duplicated, "twice"),
    "a shape that is not there": (
        lambda p: p.archive(sound(network__dense__kernel=header((HUGE,)))),
        "promises 4,000,000,000,000,000 bytes, there are 0",
    ),
    "a shape of countless digits": (
        lambda p: p.archive(sound(network__dense__kernel=header((10**3000,)))),
        "more bytes than any machine has",
    ),
    "a shape below nothing": (
        lambda p: p.archive(sound(network__dense__kernel=header((-1, -6), body=bytes(24)))),
        "expected numbers",
    ),
    "a shape of nothing and too much": (
        lambda p: p.archive(sound(network__dense__kernel=header((0, 10**30)))),
        "not an archive of arrays",
    ),
    "a header of brackets": (
        lambda p: p.archive(sound(network__dense__kernel=header("(" * 9000))),
        "not an archive of arrays",
    ),
    "an array of records": (
        lambda p: p.archive(
            sound(network__dense__kernel=entry(np.zeros(2, [("a", "<f4"), ("b", "<f4")])))
        ),
        "expected numbers",
    ),
    "an entry above the folder": (
        lambda p: p.archive([*sound(), ("../../code-ran.npy", entry(1.0))]),
        "expected a plain name",
    ),
    "an entry with an absolute name": (
        lambda p: p.archive([*sound(), (f"{p.mark}.npy", entry(1.0))]),
        "expected a plain name",
    ),
    "an entry that clears the screen": (
        lambda p: p.archive([*sound(), ("\x1b[2J.npy", entry(1.0))]),
        "`\\x1b[2J.npy`: expected a plain name",
    ),
    "weights of other shapes": (
        lambda p: p.weights(network__dense__kernel=np.ones((4, 2), np.float32)),
        "weights of another network",
    ),
    "weights that are not finite": (
        lambda p: p.weights(network__dense__bias=np.array([np.nan, 0], np.float32)),
        "not finite",
    ),
    "a scaling of other rows": (
        lambda p: p.weights(
            preparation__standardize__first=np.zeros(7, np.float32),
            preparation__standardize__second=np.ones(7, np.float32),
        ),
        "the scaling of other rows",
    ),
    "half a scaling": (
        lambda p: p.weights(preparation__rescale__first=np.zeros(3, np.float32)),
        "can't be read",
    ),
    "a preparation that is no JSON": (
        lambda p: p.weights(preparation__columns=np.frombuffer(b"[" * 10**5, np.uint8)),
        "can't be read",
    ),
    "a preparation of another kind of data": (
        lambda p: p.weights(preparation__pixels=np.array([1, 1, 3])),
        "of other rows",
    ),
}
# the same for a run that was trained on a table
TABLES = {
    "SQL for a column's type": (injected, "can't be read"),
    "a column of no kind": (
        lambda p: p.plan(columns=[{"kind": "code", "name": "a"}]),
        "can't be read",
    ),
    "columns of the wrong types": (
        lambda p: p.plan(columns=[{"kind": "number", "name": ["a"], "fill": "x"}]),
        "can't be read",
    ),
    "a column that is divided by nothing": (
        lambda p: p.plan(columns=[{"kind": "number", "name": "a", "fill": 0, "second": 0}]),
        "can't be read",
    ),
    "a date that is divided by nothing": (
        lambda p: p.plan(
            columns=[
                {"kind": "date", "name": "a", "fill": 0, "first": 0, "second": 1, "cycles": [0]}
            ]
        ),
        "can't be read",
    ),
    "numbers larger than numbers are": (
        lambda p: p.plan(columns=[{"kind": "number", "name": "a", "fill": 1e300}]),
        "can't be read",
    ),
    "a column of texts that nothing makes": (
        lambda p: p.plan(columns=[{"kind": "text", "name": "a", "vectorizer": {"mode": "x"}}]),
        "can't be read",
    ),
    "a column that is hashed to no end": (
        lambda p: p.plan(columns=[{"kind": "hashed", "name": "a", "bins": HUGE}]),
        "the columns of other rows",
    ),
}


# what only a page shows: of a run that was stopped, so that nothing else of it is read
SHOWN = {
    "epochs that are a link": (lambda p: laid(p, runs.METRICS), "it is a link"),
    "epochs that are a pipe": (lambda p: piped(p, runs.METRICS), "a pipe or a device"),
    "epochs without end": (
        lambda p: (p.run / runs.METRICS).write_bytes(b" " * 2**25),
        "bytes: expected at most",
    ),
    "epochs of no numbers": (
        lambda p: (p.run / runs.METRICS).write_text("epoch,loss\n1,\x1b[2J\n"),
        "expected a table of numbers",
    ),
    "epochs of one long cell": (
        lambda p: (p.run / runs.METRICS).write_text("1" * 10**6),
        "expected a table of numbers",
    ),
    "networks in no order": (
        lambda p: (p.run / runs.MEMBERS).write_text("member,loss\n1,0\nnan,0\n"),
        "expected a column `member`, in order",
    ),
    "a config as it was written that is a link": (lambda p: laid(p, runs.CONFIG), "it is a link"),
    "a population of no form": (
        lambda p: p.summary(state="stopped", population={"kept": [], "members": {}}),
        "`population` is wrong",
    ),
    "code to run that is elsewhere": (
        lambda p: p.summary(state="stopped", code=[{"file": "../secret.txt", "sha256": ""}]),
        "expected files right in code/",
    ),
    "rows of no shape": (lambda p: p.summary(state="stopped", inputs=["\x1b"]), "`inputs`"),
    "a state of its own": (lambda p: p.summary(state="<b>"), "its state is `<b>`"),
}


def piped(place: Place, name: str) -> None:
    os.mkfifo(place.run / name)


def looked_at(root: Path, name: str) -> tuple[Place, tuple[object, ...], str]:
    """A stopped run that someone has spoilt, what makes its page, and what is to be said."""
    place = Place(root)
    place.summary(state="stopped")
    (place.run / runs.LOCK).touch()
    spoil, said = SHOWN[name]
    spoil(place)
    return place, ("report", place.run, "--output", root / "page.html"), said


def checkpointed(place: Place) -> None:
    """Makes the run one that was stopped after an epoch."""
    place.summary(state="stopped")
    (place.run / runs.LOCK).touch()
    settings = config.load(place.run / runs.RESOLVED)[0]
    state = State(1, False, {"network/0/network/dense/kernel": place.arrays[KERNEL]}, [])
    rows = [{"epoch": 1, "loss": 0.5, "learning_rate": 0.1, "seconds": 0.1}]
    kept = Checkpoint(state, rows, 1.0, checkpoint.digest(settings))
    checkpoint.write(place.run / runs.CHECKPOINT, kept)


def told(place: Place, text: bytes) -> None:
    """A checkpoint, rightly sealed, that says something else."""
    files.write_arrays(place.run / runs.CHECKPOINT, {"state": np.frombuffer(text, np.uint8)})


def laid(place: Place, name: str) -> None:
    """A link where something of the run may be written."""
    (place.run / name).unlink(missing_ok=True)
    (place.run / name).symlink_to(place.secret)


# of a run that was stopped, and that somebody goes on with
STOPPED = {
    "checkpoint that is a link": (lambda p: p.link(runs.CHECKPOINT), "a link"),
    "checkpoint that is a pipe": (lambda p: p.fifo(runs.CHECKPOINT), "a pipe or a device"),
    "a link where a callback writes": (lambda p: laid(p, "log.csv"), "a link"),
    "a link where the lock is": (lambda p: laid(p, runs.LOCK), "a link"),
    "a link where the history is": (lambda p: laid(p, runs.METRICS), "a link"),
    "checkpoint of pickled arrays": (
        lambda p: p.sealed(pickled(p)) or (p.run / runs.WEIGHTS).replace(p.run / runs.CHECKPOINT),
        "R002",
    ),
    "checkpoint nested deeply": (lambda p: told(p, b"[" * 10**5), "not a checkpoint"),
    "checkpoint of endless epochs": (lambda p: told(p, b'{"epoch": 1e999}'), "not a checkpoint"),
    "checkpoint of no form": (lambda p: told(p, b"\xff{}"), "not a checkpoint"),
    "checkpoint of another config": (
        lambda p: p.change("threads: 2", "threads: 1"),
        "of another config",
    ),
    "no checkpoint of a finished run": (
        lambda p: p.summary() or (p.run / runs.CHECKPOINT).unlink(),
        "R002",
    ),
    "code that the run never ran": (
        lambda p: p.change("data:", "code: [secret.txt]\ndata:"),
        "C050",
    ),
    "a config that extends another": (
        lambda p: p.change("data:", f"extends: {p.secret}\ndata:"),
        "extends",
    ),
    "a config that asks for the environment": (
        lambda p: p.change("data:", 'name: "${env:TFTRAIN_SECRET}"\ndata:'),
        "env",
    ),
}


def bomb_gz(path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        file.write(packer.compress(b"a,b\n"))
        for _ in range(280):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())


def png(path: Path) -> None:
    """A picture of a few bytes that says it is 100,000 by 100,000."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    size = struct.pack(">IIBBBBB", 10**5, 10**5, 8, 0, 0, 0, 0)
    folder = path / "a"
    folder.mkdir(parents=True)
    (folder / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    (path / "b").mkdir()
    for name, size in (("a/y.png", (2, 2)), ("b/z.png", (2, 2))):
        Image.new("L", size).save(path / name)


def zipped(body: bytes, packed=zipfile.ZIP_STORED):
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", packed) as made:
            made.writestr("x.npy", body)
            made.writestr("y.npy", entry(np.arange(ROWS) % 2))

    return make


def unpacking(path: Path) -> None:
    """Two GiB of zeros in two MB."""
    size = 1 << 31
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made,
        made.open("x.npy", "w", force_zip64=True) as file,
    ):
        file.write(header((size // 4,)))
        for _ in range(1 << 7):
            file.write(bytes(1 << 24))


def promising(path: Path) -> None:
    """A Parquet file whose footer is longer than any file."""
    path.write_bytes(b"PAR1" + bytes(100) + struct.pack("<I", 2**31 - 1) + b"PAR1")


def long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"a,b,y\n1,x,yes\n" + b"1" * LONG)


def long_json(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b'{"a": 1, "b": "x", "y": "no"}\n{"a": "' + b"1" * LONG)


def named(path: Path, text: str) -> None:
    path.write_text(text)


# name: (file, what makes it, what is said of it); given to `fit`, `check --data` and, with a sound
# run of its kind, to `predict` and `eval`
DATA = {
    "a pipe for arrays": ("d.npz", os.mkfifo, "a pipe or a device"),
    "a pipe for an array": ("d.npy", os.mkfifo, "a pipe or a device"),
    "a pipe for a table": ("d.csv", os.mkfifo, "a pipe or a device"),
    "a pipe for JSON": ("d.jsonl", os.mkfifo, "a pipe or a device"),
    "an endless device": (
        "d.npz",
        lambda path: path.symlink_to("/dev/zero"),
        "a pipe or a device",
    ),
    "an endless table": ("d.csv", lambda path: path.symlink_to("/dev/zero"), "a pipe or a device"),
    "pickled rows": (
        "d.npz",
        zipped(header((1,), "|O", pickle.dumps(np.zeros(1, object)))),
        "Python objects",
    ),
    "rows that are not there": ("d.npz", zipped(header((HUGE, 3))), "promises"),
    "an array that is not there": (
        "d.npy",
        lambda path: path.write_bytes(header((HUGE, 3))),
        "promises",
    ),
    "an archive that is a bomb": ("d.npz", unpacking, "is it a zip bomb?"),
    "a gzip bomb": ("d.csv.gz", bomb_gz, "is it a bomb?"),
    "a picture that is a bomb": ("d", png, "pixels"),
    "a Parquet file that promises much": ("d.parquet", promising, "not a whole Parquet file"),
    "a line without end": ("d.csv", long_line, "a line of more than 2 MB"),
    "JSON without end": ("d.jsonl", long_json, "bytes exceeded"),
    "ANSI in a file's name": (
        "\x1b[2J\n.csv",
        lambda path: named(path, "\x1b[31mred,y\n1,no\n"),
        "\\x1b[2J\\n.csv",
    ),
    "SQL in a file's name": (
        "x'); COPY (SELECT 1) TO 'code-ran'; --.csv",
        lambda path: named(path, "a,b,y\n"),
        "no rows",
    ),
    "a script for a column": (
        "d.csv",
        lambda path: named(path, "<script>alert(1)</script>,\x1b[2J\n1,2\n"),
        "has no column",
    ),
}


def command(place: Place, *arguments: object) -> tuple[int, str, str]:
    """Runs the command line in this process; its exit code, stdout, stderr."""
    before = sys.argv, Path.cwd()
    sys.argv = ["tftrain", *map(str, arguments)]
    out, said = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    try:
        os.chdir(place.root)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            code = __main__._run()  # noqa: SLF001 - `main` would end the process
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
    return code, *(one.buffer.getvalue().decode() for one in (out, said))


def commands(place: Place):
    """What is run on a spoilt run: rows are of another file, for a run's own are gone."""
    yield "eval", (place.run, "--data", place.rows)
    yield "eval", ("--runs-dir", place.runs)
    yield "predict", (place.run, place.rows, "-o", place.root / "out.csv")
    yield "report", (place.run, "--output", place.root / "page.html")
    yield "explain", (place.run, "--example", 0)
    yield "runs", ("--runs-dir", place.runs)
    yield "runs", ("--runs-dir", place.runs, "--json")


def going_on(root: Path, name: str) -> tuple[Place, tuple[object, ...], str]:
    """A stopped run that someone has spoilt, what goes on with it, and what is to be said."""
    place = Place(root)
    checkpointed(place)
    spoil, said = STOPPED[name]
    spoil(place)
    return place, ("fit", "--resume", place.run), said


def spoilt(root: Path, name: str) -> tuple[Place, str]:
    """A run that someone has spoilt, and what is to be said of it."""
    place = Place(root, table=name in TABLES)
    spoil, said = (RUNS | TABLES)[name]
    spoil(place)
    return place, said


def asking(place: Place, name: str):
    """The data of someone who means harm, and what asks for it."""
    file, make, _ = DATA[name]
    path = place.root / file
    make(path)
    table = config.kind_of(str(path)) == "table"
    written = CONFIG.replace("SOURCE", json.dumps(str(path)) + "\n  target: y" * table)
    (place.root / "c.yaml").write_text(written)
    yield "fit", ("c.yaml", "--runs-dir", place.root / "new")
    yield "check", ("c.yaml", "--data", "--no-build")
    if file != "d":  # a folder of images needs a run of its own
        yield "predict", (place.run, path, "-o", place.root / "out.csv")
        yield "eval", (place.run, "--data", path)


def main() -> None:
    worst, say = 0.0, print
    for name in (*RUNS, *TABLES, *DATA, *STOPPED, *SHOWN):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            if name in DATA:
                place = Place(root, table=config.kind_of(DATA[name][0]) == "table")
                asked = asking(place, name)
            elif name in STOPPED or name in SHOWN:
                make = going_on if name in STOPPED else looked_at
                place, (verb, *arguments), _ = make(root, name)
                asked = [(verb, arguments)]
            else:
                place, _ = spoilt(root, name)
                asked = commands(place)
            for verb, arguments in asked:
                before = time.perf_counter()
                code, out, said = command(place, verb, *arguments)
                seconds = time.perf_counter() - before
                worst = max(worst, seconds)
                shown = (said or out).splitlines()[0].replace(str(root), "") if said or out else ""
                say(f"{name:40} {verb:8} {seconds:6.3f} s  {code}  {shown[:90]}")
    heavy = "tensorflow" in sys.modules
    say(f"the slowest took {worst:.3f} s; TensorFlow was {'' if heavy else 'not '}imported")


if __name__ == "__main__":
    main()
