"""Tables that can't be trained on: each one line with the file, the place and what to do."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
import yaml
from PIL import Image

from tftrain import config, data, files
from tftrain.data import table as tables
from tftrain.data.table import written as writers
from tftrain.draft import draft
from tftrain.errors import DataError, Stopped, StorageError

ROWS = [f"{row},{'abc'[row % 3]},{('no', 'yes')[row % 2]}" for row in range(30)]
LATE = 1_000 * ROWS  # the last of them lie beyond the 20,480 rows that duckdb looks at first


def table(*rows, names="a,b,y"):
    return "\n".join([names, *rows]) + "\n"


def days(*rows):
    """Thirty dates, and more."""
    dates = [f"2021-01-{row + 1:02},{row},{'yn'[row % 2]}" for row in range(30)]
    return table(*dates, *rows)


def objects(*lines, count=10):
    labels = ("no", "yes")
    good = [f'{{"a": {row}, "b": "x", "y": "{labels[row % 2]}"}}' for row in range(count)]
    return "\n".join([*good, *lines]) + "\n"


GOOD = table(*ROWS)
GZIPPED = gzip.compress(table(*LATE).encode())


def bomb(start, block):
    """A gigabyte in a few kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    times = 10**9 // len(block)
    return b"".join(
        [
            packer.compress(start),
            *(packer.compress(block) for _ in range(times)),
            packer.flush(),
        ]
    )


@dataclass
class Bad:
    """A file, or what makes one in a folder, and what is said of it.

    Args:
        content: the file's, a SELECT whose rows are in it as Parquet, or a function of the folder.
        said: behind `c.yaml:2:11: error[`, or the whole line if it begins with `c.yaml`.
        file: its name.
        data: the rest of the config's section.
        loss: of the training.
    """

    content: object
    said: str
    file: str = "d.csv"
    data: dict[str, object] = field(default_factory=dict)
    loss: str = "BinaryCrossentropy"

    def lay(self, folder):
        path = folder / self.file
        if callable(self.content):
            self.content(folder)
        elif isinstance(self.content, bytes):
            path.write_bytes(self.content)
        elif str(self.content).startswith("SELECT"):
            with duckdb.connect() as connection:
                connection.execute(f"COPY ({self.content}) TO '{path}' (FORMAT parquet)")
        else:
            path.write_text(self.content)


def several(**contents):
    def lay(folder):
        for name, content in contents.items():
            (folder / f"{name}.csv").write_text(content)

    return lay


WHOLE = "i AS a, 'x' AS b, CASE WHEN i % 2 = 0 THEN 'no' ELSE 'yes' END AS y FROM range(20) t(i)"
NOT_FINITE = "D005]: d.csv: row 30 (counted from 0): column `a` is {}: expected a finite number of "
AMONG = (
    "D004]: {0}: row {1} (counted from 0): column `a`: expected {2}, as in other rows, got `{3}` "
    '({4}); if it means that one is missing, set data.missing: ["{3}"]; for a column of names set '
    "data.columns.a to category"
)
LATER = (
    "D004]: d.csv:30002: column `{0}`: expected a number, as in other rows, got `{1}`; if it means "
    'that one is missing, set data.missing: ["{1}"]; for a column of names set data.columns.{0} to '
    "category"
)
CELLS = "expected 3 cells, as there are names of columns, got"
NO_UTF_8 = "not UTF-8: if it is another encoding, set data.encoding, as latin-1"
BOMB = "D002]: d.csv.gz: unpacks to more than 200 times its size: is it a bomb? if it is right, "
MISSING = "to leave them out set data.query to SELECT * FROM data WHERE"
NO_DATES = "expected dates such as 2021-12-31"
NO_PARQUET = "D002]: d.parquet: can't be read: not a whole Parquet file"
UNUSABLE = "expected numbers, texts or dates; leave it out with data.query"
NO_OBJECT = 'expected an object in each line, as {"age": 41}, got'

CSV = {
    "a row too long": Bad(table(*ROWS[:9], "1,a,no,9"), f"D002]: d.csv:11: {CELLS} 4"),
    "a row too short": Bad(table(*ROWS[:9], "1,a"), f"D002]: d.csv:11: {CELLS} 2"),
    "the first row too short": Bad(table("1,a", *ROWS), f"D002]: d.csv:2: {CELLS} 2"),
    "a late row too long": Bad(table(*LATE, "1,a,no,9"), f"D002]: d.csv:30002: {CELLS} 4"),
    "a text among numbers": Bad(
        table(*ROWS, "x,a,no"), AMONG.format("d.csv", 30, "a number", "x", "1 such cell")
    ),
    "a late text among numbers": Bad(table(*LATE, "x,a,no"), LATER.format("a", "x")),
    "a late text among targets": Bad(
        table(*(f"{row},a,{row}" for row in range(30_000)), "1,a,oops"),
        LATER.format("y", "oops"),
        loss="MeanSquaredError",
    ),
    "a number asked for": Bad(
        GOOD,
        LATER.format("b", "a").replace("30002", "2").replace("in other rows", "data.columns says"),
        data={"columns": {"b": "number"}},
    ),
    "Latin-1": Bad(table(*ROWS, "1,é,no").encode("latin-1"), f"D002]: d.csv:32: {NO_UTF_8}"),
    "late Latin-1": Bad(
        table(*10 * LATE, "1,é,no").encode("latin-1"), f"D002]: d.csv:300002: {NO_UTF_8}"
    ),
    "UTF-16": Bad(GOOD.encode("utf-16"), "D002]: d.csv:1: UTF-16: set data.encoding to utf-16"),
    "UTF-16 without a mark": Bad(
        GOOD.encode("utf-16-le"),
        "D002]: d.csv:1: a NUL character: is it UTF-16, or no text at all?",
    ),
    "NUL": Bad(
        table(*ROWS, "1,a\0b,no"),
        "D002]: d.csv:32: a NUL character: is it UTF-16, or no text at all?",
    ),
    "late NUL": Bad(
        table(*10 * LATE, "1,a\0b,no"),
        "D004]: d.csv: row 300000 (counted from 0): column `b` holds a NUL character: is the file "
        "damaged?",
    ),
    "empty": Bad("", "D002]: d.csv:1: it is empty: expected a line of column names"),
    "newlines only": Bad("\n" * 99, "D002]: d.csv:1: it is empty: expected a line of column names"),
    "an empty line first": Bad("\n" + GOOD, "D002]: d.csv:1: an empty line: expected column names"),
    "header only": Bad("a,b,y\n", "D007]: d.csv: no rows"),
    "two names alike": Bad(
        table(*ROWS, names="a,a,y"), "D002]: d.csv:1: two columns are called `a`"
    ),
    "names alike but for capitals": Bad(
        table(*ROWS, names="Age,age,y"),
        "D002]: d.csv:1: columns `Age` and `age` are one to SQL, which tells no capitals: "
        "rename one of them",
    ),
    "a name missing": Bad(
        table(*ROWS, names="a,,y"),
        "D002]: d.csv:1: column 2 has no name: write one into the first line",
    ),
    **{
        f"a query by chance: {query}": Bad(
            GOOD,
            f"c.yaml:4:10: error[D010]: `{found}` gives other rows every time, and no run could be "
            "repeated: take hash of a column",
            data={"query": query},
        )
        for query, found in {
            "SELECT * FROM data ORDER BY RANDOM ()": "RANDOM ()",
            "SELECT *, uuid() AS u FROM data": "uuid()",
            "SELECT * FROM data USING SAMPLE 10 ROWS": "USING SAMPLE",
            "SELECT * FROM data TABLESAMPLE reservoir(20%)": "TABLESAMPLE",
        }.items()
    },
    "a blank name": Bad(
        table(*ROWS, names="a, ,y"),
        "D002]: d.csv:1: column 2 has no name: write one into the first line",
    ),
    "no header": Bad(
        table(*("5.1,3,1" for _ in range(20)), names="4.9,2,0"),
        "D002]: d.csv:1: expected column names, got numbers, 4.9, 2, 0: write a line of "
        "names first",
    ),
    "a column called rowid": Bad(
        table(*ROWS, names="a,RowId,y"),
        "D004]: d.csv: a column is called `RowId`, as SQL calls the rows' numbers: rename it, or "
        'set data.query to SELECT * RENAME ("RowId" AS row_id) FROM data',
    ),
    "a quote never closed": Bad(
        table(*ROWS[:9], '1,"a,no', *ROWS),
        "D002]: d.csv:11: a quote that opens in this row is never closed",
    ),
    "a quote never closed in the header": Bad(
        table(*ROWS, names='a,"b,y'),
        "D002]: d.csv:1: column names that can't be read: unexpected end of data",
    ),
    "two kinds of line ends": Bad(
        GOOD.replace("\n", "\r\n", 9).encode(),
        "D002]: d.csv: can't be read: some lines end in CR LF and some in LF, or a quote stands "
        "within a cell",
    ),
    "a line of 100 MB": Bad(
        lambda folder: (folder / "d.csv").write_text(table(ROWS[0], f"1,{'x' * 10**8},no", *ROWS)),
        "D002]: d.csv:3: a line of more than 2 MB: is a quote never closed?",
    ),
    "a header of 100 MB": Bad(
        lambda folder: (folder / "d.csv").write_text("x" * 10**8),
        "D002]: d.csv:1: longer than 1 MiB: expected a line of column names; is a quote never "
        "closed?",
    ),
    "20,000 columns": Bad(
        table(",".join("1" * 20_000), names=",".join(f"c{place}" for place in range(20_000))),
        "D002]: d.csv:1: 20,000 columns: a table may have 5,000; wide rows of numbers fit into an "
        ".npz file",
    ),
    "a delimiter that is none": Bad(
        GOOD.replace(",", ":"),
        "c.yaml:3:11: error[D003]: d.csv has no column `y`; it has a:b:y and no other: cells are "
        "parted by a comma, a semicolon, | or a tab",
    ),
    "infinity": Bad(table(*ROWS, "inf,a,no"), NOT_FINITE.format("inf") + "32 bits"),
    "1e400": Bad(table(*ROWS, "-1e400,a,no"), NOT_FINITE.format("-inf") + "32 bits"),
    "1e39": Bad(table(*ROWS, "1e39,a,no"), NOT_FINITE.format("1e+39") + "32 bits"),
    "a text for a missing number": Bad(
        table(*ROWS, "NA,a,no", "NA,a,no"),
        AMONG.format("d.csv", 30, "a number", "NA", "2 such cells"),
    ),
    "no day of the calendar": Bad(
        days("2021-13-45,1,y"),
        AMONG.format("d.csv", 30, "a date such as 2021-12-31", "2021-13-45", "1 such cell"),
    ),
    "the year 99999": Bad(
        days("99999-01-01,1,y"),
        AMONG.format("d.csv", 30, "a date such as 2021-12-31", "99999-01-01", "1 such cell"),
    ),
    "dates of two forms": Bad(
        days("31/12/2021,1,y", "12/31/2021,1,y"),
        AMONG.format("d.csv", 30, "a date such as 2021-12-31", "31/12/2021", "2 such cells"),
    ),
    "texts that are no dates": Bad(
        GOOD,
        f"c.yaml:5:8: error[D011]: column `b` holds texts such as `a`: {NO_DATES}; strptime in "
        "data.query makes dates of others",
        data={"columns": {"b": "date"}},
    ),
    "no dates at all": Bad(
        table(*(f"{row},,{'yn'[row % 2]}" for row in range(30))),
        "c.yaml:5:8: error[D011]: column `b` is empty in every row",
        data={"columns": {"b": "date"}},
    ),
    "no dates at all in Parquet": Bad(
        f"SELECT NULL::DATE AS d, {WHOLE}",
        "c.yaml:5:8: error[D011]: column `d` is empty in every row",
        "d.parquet",
        data={"columns": {"d": "date"}},
    ),
    "numbers that are no dates": Bad(
        GOOD,
        f"c.yaml:5:8: error[D011]: column `a` holds numbers such as `0.0`: {NO_DATES}",
        data={"columns": {"a": "date"}},
    ),
    "neither true nor false": Bad(
        table(*(f"{row},{row % 2 == 0},{'yn'[row % 2]}" for row in range(30)), "1,maybe,y"),
        "D004]: d.csv: row 30 (counted from 0): column `b`: expected true or false, got `maybe`; "
        "for a column of names set data.columns.b to category",
        data={"columns": {"b": "boolean"}},
    ),
    "nothing but labels": Bad(
        table(*("no", "yes") * 15, names="y"),
        "D011]: no column is left to learn from: it has only y",
    ),
    "one value in every column": Bad(
        table(*(f"1,x,{'yn'[row % 2]}" for row in range(30))),
        "D011]: no column is left to learn from: a (constant: one value only); b (constant: one "
        "value only)",
    ),
}
GZIP = {
    "gzip cut off": Bad(
        GZIPPED[:-20], "D002]: d.csv.gz: can't be read: its end is cut off", "d.csv.gz"
    ),
    "gzip damaged": Bad(
        GZIPPED[:10] + b"\xff" + GZIPPED[11:],
        "D002]: d.csv.gz: can't be read: damaged, it can't be unpacked",
        "d.csv.gz",
    ),
    "gzip of another checksum": Bad(
        GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:],
        "D002]: d.csv.gz: can't be read: damaged: its checksum doesn't match",
        "d.csv.gz",
    ),
    "not gzip": Bad(GOOD, "D002]: d.csv.gz: can't be read: not packed by gzip", "d.csv.gz"),
    "nothing, named .gz": Bad("", "D002]: d.csv.gz: it is empty", "d.csv.gz"),
    "gzip of nothing": Bad(
        gzip.compress(b""),
        "D002]: d.csv.gz:1: it is empty: expected a line of column names",
        "d.csv.gz",
    ),
    "gzip without its name": Bad(GZIPPED, f"D002]: d.csv:1: {NO_UTF_8}"),
    "a bomb of zeros": Bad(bomb(b"", bytes(10**6)), f"{BOMB}unpack it first", "d.csv.gz"),
    "a bomb of newlines": Bad(bomb(b"a,y\n", b"\n" * 10**6), f"{BOMB}unpack it first", "d.csv.gz"),
    "a bomb of rows": Bad(
        bomb(b"a,y\n", b"1,yes\n2,no\n" * 10**5), f"{BOMB}unpack it first", "d.csv.gz"
    ),
}
FILES = {
    "a folder": Bad(
        lambda folder: (folder / "d.csv").mkdir(), "D002]: d.csv: can't be read: it is a folder"
    ),
    "a pipe": Bad(
        lambda folder: os.mkfifo(folder / "d.csv"),
        "D002]: d.csv: can't be read: expected a file, got a pipe or a device",
    ),
    "a device": Bad(
        lambda folder: (folder / "d.csv").symlink_to("/dev/zero"),
        "D002]: d.csv: can't be read: expected a file, got a pipe or a device",
    ),
    "a link to itself": Bad(
        lambda folder: (folder / "d.csv").symlink_to("d.csv"),
        "D002]: d.csv: can't be read: Too many levels of symbolic links",
    ),
    "a link to nothing": Bad(
        lambda folder: (folder / "d.csv").symlink_to("e.csv"),
        "D002]: d.csv: can't be read: No such file or directory",
    ),
    "a pattern that fits nothing": Bad(
        several(d=GOOD), "D001]: x-*.csv: no such file", file="x-*.csv"
    ),
    "files of other columns": Bad(
        several(p1=GOOD, p2=GOOD.replace("b", "c", 1)),
        "D002]: p2.csv:1: expected the columns of p1.csv, a, b, y; got a, c, y",
        file="p*.csv",
    ),
    "files of columns in another order": Bad(
        several(p1=GOOD, p2=table("no,1,b", names="y,a,b")),
        "D002]: p2.csv:1: expected the columns of p1.csv, a, b, y; got y, a, b",
        file="p*.csv",
    ),
    "an empty file among others": Bad(
        several(p1=GOOD, p2=""),
        "D002]: p2.csv:1: it is empty: expected a line of column names",
        file="p*.csv",
    ),
    "a row too long in another file": Bad(
        several(p1=GOOD, p2=table(*ROWS[:4], "1,2,3,4")),
        f"D002]: p2.csv:6: {CELLS} 4",
        file="p*.csv",
    ),
}
PARQUET = {
    "Parquet cut off": Bad(
        lambda folder: cut_off(folder / "d.parquet", -20), NO_PARQUET, "d.parquet"
    ),
    "the beginning of Parquet": Bad(
        lambda folder: cut_off(folder / "d.parquet", 100), NO_PARQUET, "d.parquet"
    ),
    "CSV, named .parquet": Bad(GOOD, NO_PARQUET, "d.parquet"),
    "nothing, named .parquet": Bad("", NO_PARQUET, "d.parquet"),
    "Parquet without rows": Bad(
        f"SELECT {WHOLE} WHERE i < 0", "D007]: d.parquet: no rows", "d.parquet"
    ),
    "a list in Parquet": Bad(
        f"SELECT [i] AS l, {WHOLE}",
        f"D004]: d.parquet: column `l` holds lists: {UNUSABLE}",
        "d.parquet",
    ),
    "a structure in Parquet": Bad(
        f"SELECT {{'p': i}} AS s, {WHOLE}",
        f"D004]: d.parquet: column `s` holds structures: {UNUSABLE}",
        "d.parquet",
    ),
    "bytes in Parquet": Bad(
        f"SELECT 'x'::BLOB AS l, {WHOLE}",
        f"D004]: d.parquet: column `l` holds bytes: {UNUSABLE}",
        "d.parquet",
    ),
    "an infinite date in Parquet": Bad(
        f"SELECT 'infinity'::TIMESTAMP AS d, {WHOLE}",
        "D005]: d.parquet: row 0 (counted from 0): column `d` is infinity: expected a date of the "
        "years 1 to 9999",
        "d.parquet",
    ),
}
JSON = {
    "a broken line": Bad(
        objects('{"a": 1, "b": ', '{"a": 1}'),
        "D002]: d.jsonl:11:14: not JSON: Expecting value",
        "d.jsonl",
    ),
    "a late broken line": Bad(
        objects('{"a" 1}', count=30_000),
        "D002]: d.jsonl:30001:6: not JSON: Expecting ':' delimiter",
        "d.jsonl",
    ),
    "Latin-1 in JSON": Bad(
        objects('{"b": "é"}').encode("latin-1"), "D002]: d.jsonl:11: not UTF-8", "d.jsonl"
    ),
    "an object in a cell": Bad(
        objects('{"a": {"z": 1}}', count=30_000),
        f"D004]: d.jsonl: column `a` holds objects or lists: {UNUSABLE}",
        "d.jsonl",
    ),
    "a text among JSON's numbers": Bad(
        objects('{"a": "x"}', count=30_000),
        AMONG.format("d.jsonl", 30_000, "a number", "x", "1 such cell"),
        "d.jsonl",
    ),
    "a key twice": Bad(
        objects('{"a": 1, "a": 2}'), "D002]: d.jsonl:11: the key `a` twice", "d.jsonl"
    ),
    "an array of objects": Bad('[{"a": 1}]', f"D002]: d.jsonl:1: {NO_OBJECT} `[`", "d.jsonl"),
    "CSV, named .jsonl": Bad(GOOD, f"D002]: d.jsonl:1: {NO_OBJECT} `a`", "d.jsonl"),
    "nothing, named .jsonl": Bad(
        "\n", "D002]: d.jsonl: it is empty: expected an object in each line", "d.jsonl"
    ),
}
COLUMNS = {
    "a target that isn't there": Bad(
        GOOD,
        "c.yaml:3:11: error[D003]: d.csv has no column `Y`; did you mean `y`?",
        data={"target": "Y"},
    ),
    "a column that isn't there": Bad(
        GOOD,
        "c.yaml:5:5: error[D003]: d.csv has no column `c`; it has a, b, y",
        data={"columns": {"c": "number"}},
    ),
    "targets missing": Bad(
        table(*ROWS, "1,a,", "2,b,"),
        f'D006]: d.csv: row 30 (counted from 0): no `y` (2 such rows); {MISSING} "y" IS NOT NULL',
    ),
    "every target missing": Bad(
        table(*(f"{row},a," for row in range(30))), "D006]: d.csv: column `y` is empty in every row"
    ),
    "one target": Bad(
        table(*(f"{row},a,3" for row in range(30))),
        "c.yaml:8:9: error[D006]: every label is 3: there is nothing to learn",
        loss="MeanSquaredError",
    ),
    "one class": Bad(
        table(*(f"{row},a,no" for row in range(30))),
        "c.yaml:8:9: error[D006]: only one class in the data, `no`",
    ),
    "one row": Bad(table(ROWS[0]), "c.yaml:8:9: error[D006]: only one class in the data, `no`"),
    "more classes than any loss can tell apart": Bad(
        table(*(f"{row},a,c{row}" for row in range(10_001))),
        "D006]: d.csv: more than 10,000 different values in `y`: these are no classes",
        loss="SparseCategoricalCrossentropy",
    ),
    "a negative weight": Bad(
        table(*ROWS, "-3,a,no"),
        "D006]: d.csv: row 30 (counted from 0): the weight `a` is negative",
        data={"sample_weight": "a"},
    ),
    "a weight missing": Bad(
        table(*ROWS, ",a,no"),
        f'D006]: d.csv: row 30 (counted from 0): no `a` (1 such row); {MISSING} "a" IS NOT NULL',
        data={"sample_weight": "a"},
    ),
    "no weight": Bad(
        table(*(f"0,{row},{'yn'[row % 2]}" for row in range(30))),
        "D006]: d.csv: every row's weight `a` is 0: nothing is learnt",
        data={"sample_weight": "a"},
    ),
    "weights of texts": Bad(
        GOOD,
        "D006]: d.csv: column `b`: expected numbers, got texts",
        data={"sample_weight": "b"},
    ),
    "a time missing": Bad(
        days(",1,y"),
        f'D006]: d.csv: row 30 (counted from 0): no `a` (1 such row); {MISSING} "a" IS NOT NULL',
        data={"time": "a"},
    ),
    "times of texts": Bad(
        table(*(f"31/{month}/2021,1,{'yn'[month % 2]}" for month in range(1, 13))),
        f"D011]: d.csv: column `a` holds texts such as `31/1/2021`: {NO_DATES}, or numbers, to "
        "sort by; strptime in data.query makes dates of others",
        data={"time": "a"},
    ),
    "a series too short": Bad(
        "v\n1\n2\n3\n",
        "D007]: d.csv: 3 values: a window and what comes after it take 6",
        data={"target": None, "series": {"column": "v", "lags": 5}},
        loss="MeanSquaredError",
    ),
    "a gap in a series": Bad(
        "v,w\n" + "1,1\n" * 20 + ",1\n",
        f'D006]: d.csv: row 20 (counted from 0): no `v` (1 such row); {MISSING} "v" IS NOT NULL',
        data={"target": None, "series": {"column": "v", "lags": 5}},
        loss="MeanSquaredError",
    ),
    "a series of texts": Bad(
        "v\n" + "a\nb\n" * 20,
        "D006]: d.csv: column `v`: expected numbers, got texts",
        data={"target": None, "series": {"column": "v", "lags": 5}},
        loss="MeanSquaredError",
    ),
}
LACKS = "c.yaml:7:11: error[D003]: bare.csv: no column `{}`; it has {}"
SERIES = {"target": None, "series": {"column": "v", "lags": 2}}
SECOND = {
    "a second file without weights": Bad(
        several(d=GOOD, bare=table(*("x,no",) * 9, names="b,y")),
        LACKS.format("a", "b, y"),
        data={"split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"}, "sample_weight": "a"},
    ),
    "a second file of other columns": Bad(
        several(d=GOOD, bare=table(*("x,no",) * 9, names="p,q")),
        "c.yaml:7:11: error[D003]: bare.csv: it has no column of the source: expected a, b, y, got "
        "p, q",
        data={"split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"}},
    ),
    "a second file without labels": Bad(
        several(d=GOOD, bare=table(*("1,x",) * 9, names="a,b")),
        "c.yaml:7:11: error[D003]: bare.csv: no labels: expected a column called `y`; it has a, b",
        data={"split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"}},
    ),
    "a second file without the series": Bad(
        several(d="v,t\n" + "1,2\n" * 30, bare="w,t\n" + "1,2\n" * 30),
        LACKS.format("v", "w, t").replace("7:11", "6:11"),
        data={"split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"}} | SERIES,
        loss="MeanSquaredError",
    ),
    "a second file without the series' time": Bad(
        several(d="v,t\n" + "1,2\n" * 30, bare="v,w\n" + "1,2\n" * 30),
        LACKS.format("t", "v, w").replace("7:11", "6:11"),
        data={"split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"}, "time": "t"} | SERIES,
        loss="MeanSquaredError",
    ),
    "a second file without images": Bad(
        lambda folder: (
            several(
                d=table(*["i.png,no", "i.png,yes"] * 9, names="p,y"),
                bare=table(*["i.png,no"] * 9, names="q,y"),
            )(folder),
            Image.new("L", (8, 8)).save(folder / "i.png"),
        ),
        LACKS.format("p", "q, y"),
        data={
            "split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"},
            "columns": {"p": "image"},
            "size": [8, 8],
        },
    ),
}
QUERIES = {
    "SELEC * FROM data": 'syntax error at or near "SELEC"',
    "SELECT 1; SELECT 2": "expected one SELECT",
    "INSERT INTO data VALUES (1, 'a', 'no')": "expected one SELECT",
    "COPY data TO 'out.csv'": "expected one SELECT",
    "ATTACH 'other.db'": "expected one SELECT",
    "INSTALL httpfs": "expected one SELECT",
    "SET memory_limit = '100GB'": "expected one SELECT",
    "CREATE TABLE other AS SELECT 1": "expected one SELECT",
    "-- nothing": "expected one SELECT",
    "SELECT * FROM data) TO 'x'; --": 'syntax error at or near ")"',
    "SELECT * FROM read_csv('/etc/passwd')": 'Cannot access file "/etc/passwd" - file system '
    "operations are disabled by configuration",
    "SELECT content, 'no' AS y FROM read_text('/etc/passwd')": 'Cannot access file "/etc/passwd" - '
    "file system operations are disabled by configuration",
    "SELECT * FROM glob('/etc/*')": 'Cannot access file "/etc/*" - file system operations are '
    "disabled by configuration",
    "SELECT * FROM '/etc/passwd'": "Table with name /etc/passwd does not exist!",
    "SELECT * FROM QUERIES": "Table with name QUERIES does not exist!",
    "SELECT getenv('HOME') AS h, * FROM data": "Scalar Function with name getenv does not exist!",
    "SELECT c FROM data": 'Referenced column "c" not found in FROM clause!',
    "SELECT b::INT AS b, y FROM data": "Could not convert string 'a' to whole number when casting "
    "from source column b",
    "SELECT sum(b) AS s, 'no' AS y FROM data": "No function matches the given name and argument "
    "types 'sum(text)'. You might need to add explicit type casts.",
    "SELECT b::VARCHA AS b, y FROM data": "Type with name VARCHA does not exist!",
    "SELECT error('one\n\ntwo') FROM data": "one",
}
QUERIED = {
    query: Bad(GOOD, f"c.yaml:4:10: error[D010]: {said}", data={"query": query})
    for query, said in QUERIES.items()
} | {
    "SELECT * FROM data WHERE a < 0": Bad(
        GOOD,
        "c.yaml:4:10: error[D007]: it selects no row of d.csv",
        data={"query": "SELECT * FROM data WHERE a < 0"},
    ),
    "SELECT *, if(a = 5, NULL, a) AS w FROM data WHERE a > 2": Bad(
        GOOD,
        f'D006]: d.csv: row 2 of data.query (counted from 0): no `w` (1 such row); {MISSING} "w" '
        "IS NOT NULL",
        data={
            "query": "SELECT *, if(a = 5, NULL, a) AS w FROM data WHERE a > 2",
            "sample_weight": "w",
        },
    ),
    "SELECT *, 1e300 AS w FROM data": Bad(
        GOOD,
        "D005]: d.csv: row 0 of data.query (counted from 0): column `w` is 1e+300: expected a "
        "finite number of 32 bits",
        data={"query": "SELECT *, 1e300 AS w FROM data"},
    ),
    "SELECT a, b FROM data": Bad(
        GOOD,
        "c.yaml:3:11: error[D003]: data.query gives no column `y`; it has a, b",
        data={"query": "SELECT a, b FROM data"},
    ),
    "SELECT [a] AS l, y FROM data": Bad(
        GOOD,
        f"D004]: d.csv: column `l` holds lists: {UNUSABLE}",
        data={"query": "SELECT [a] AS l, y FROM data"},
    ),
}
EVERY = CSV | GZIP | FILES | PARQUET | JSON | COLUMNS | SECOND | QUERIED


def cut_off(path, length):
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {WHOLE}) TO '{path}' (FORMAT parquet)")
    path.write_bytes(path.read_bytes()[:length])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for files; temporary ones have another, which is empty in the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    assert not list(temporary.iterdir())


def written(folder, file, section, loss):
    """A config beside the data."""
    data_ = {"source": file, "target": "y"} | section
    whole = {
        "data": {key: value for key, value in data_.items() if value is not None},
        "model": {"layers": ["Flatten"]},
        "training": {"loss": loss, "epochs": 1},
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    return path


def fault(folder, file="d.csv", section=None, loss="BinaryCrossentropy"):
    """What loading says; paths as the config has them."""
    path = written(folder, file, section or {}, loss)
    before = sorted(folder.iterdir())
    with pytest.raises(DataError) as raised:
        data.load(*config.load(path))
    assert raised.value.exit_code == 2
    assert sorted(folder.iterdir()) == before
    return str(raised.value).replace(f"{folder}{os.sep}", "")


@pytest.mark.parametrize("bad", EVERY.values(), ids=[name[:40] for name in EVERY])
def test_a_table_that_cannot_be_trained_on(bad, folder):
    bad.lay(folder)
    expected = bad.said if bad.said.startswith("c.yaml") else f"c.yaml:2:11: error[{bad.said}"
    told = fault(folder, bad.file, bad.data, bad.loss)
    assert told == expected


@pytest.mark.parametrize("key", ["time", "group"])
def test_a_second_file_needs_nothing_to_be_split_by(key, folder):
    several(d=table(*(f"{row},{one}" for row, one in enumerate(ROWS)), names="d,a,b,y"), bare=GOOD)(
        folder
    )
    section = {"split": {"train": 0.8, "validation": 0.2, "test": "bare.csv"}, key: "d"}
    splits = data.load(*config.load(written(folder, "d.csv", section, "BinaryCrossentropy")))
    assert len(splits.test) == len(ROWS)


def test_two_rows_are_too_few_for_three_parts(folder):
    (folder / "d.csv").write_text(table(*ROWS[:2]))
    said = fault(folder).split("\n")
    assert len(said) == 3
    assert all(": no row" in line and "split: the source has" in line for line in said)


@pytest.mark.parametrize(("groups", "parts"), [("x", ["validation", "test"]), ("xy", ["test"])])
def test_too_few_groups_for_every_part(groups, parts, folder):
    rows = (f"{row},{groups[row % len(groups)]},{'yn'[row // 2 % 2]}" for row in range(40))
    (folder / "d.csv").write_text(table(*rows))
    assert fault(folder, section={"group": "b"}).split("\n") == [
        f"c.yaml:2:3: error[D007]: no rows for the {part} split: the source has {len(groups)} "
        "groups that stay together"
        for part in parts
    ]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_table_that_may_not_be_read(folder):
    (folder / "d.csv").write_text(GOOD)
    (folder / "d.csv").chmod(0)
    assert fault(folder).endswith("D002]: d.csv: can't be read: Permission denied")


def test_images_that_a_table_names_and_that_are_none(folder):
    """A path may lead anywhere: only images are decoded, and nothing of another file is told."""
    Image.new("L", (8, 8)).save(folder / "i.png")
    (folder.parent / "secret.txt").write_text("secret")
    section = {"columns": {"p": "image"}, "size": [8, 8]}
    good = ["i.png,no", "i.png,yes"] * 5
    for path, said in {
        "j.png": "D001]: j.png: no such file or folder",
        "../secret.txt": "D002]: ../secret.txt: can't be read: expected PNG, JPEG, BMP, GIF, WEBP "
        "or TIFF",
        "": "D006]: d.csv: row 10 (counted from 0): no `p` (1 such row); to leave them out set "
        'data.query to SELECT * FROM data WHERE "p" IS NOT NULL',
    }.items():
        (folder / "d.csv").write_text(table(*good, f"{path},no", names="p,y"))
        assert fault(folder, section=section) == f"c.yaml:2:11: error[{said}"


class Refusing:
    """A connection of duckdb that nothing can be asked of."""

    def __init__(self, error):
        self.error = error

    def execute(self, *_):
        raise self.error

    def cursor(self):
        return self

    def register(self, *_):
        pass

    def close(self):
        pass


FULL = duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")
INTERRUPTED = RuntimeError("Query interrupted")


def refusing(monkeypatch, error):
    read = tables.read
    monkeypatch.setattr(
        tables, "read", lambda *given: replace(read(*given), connection=Refusing(error))
    )


def test_no_memory_is_no_traceback_whichever_way_in(folder, monkeypatch):
    (folder / "d.csv").write_text(GOOD)
    path = written(folder, "d.csv", {"columns": {"b": "category"}}, "BinaryCrossentropy")
    settings, source = config.load(path)
    learnt = data.load(settings, source)
    encoding = data.Encoding(learnt.form.classes)
    rows = (settings, str(folder / "d.csv"))
    fresh = data.unlabelled(*rows, learnt.preparation, ["a"])
    assert fresh.copied(0, 9)
    raw = fresh.raw
    fresh = replace(fresh, raw=replace(raw, table=replace(raw.table, connection=Refusing(FULL))))
    refusing(monkeypatch, FULL)
    for way in (
        lambda: data.load(settings, source, look=lambda *_: None),
        lambda: data.load_part(*rows, encoding, learnt.preparation),
        lambda: data.unlabelled(*rows, learnt.preparation, ["a"]),
        lambda: list(fresh.blocks()),
        lambda: fresh.copied(0, 9),
        lambda: draft(str(folder / "d.csv"), "y", folder / "new.yaml"),
    ):
        with pytest.raises(DataError, match="it takes more memory than tftrain gives a table"):
            way()
    raw.table.close()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_no_memory_for_what_is_written(suffix, folder, monkeypatch):
    monkeypatch.setattr(writers, "connect", lambda _: Refusing(FULL))
    block = {"a": writers.Cells(np.arange(3), "BIGINT")}
    with pytest.raises(StorageError, match="can't be written: could not allocate block"):
        files.fill(folder / f"out.{suffix}", lambda place: writers.write(place, iter([block])))
    assert not list(folder.iterdir())


def test_a_draft_can_be_stopped(folder, monkeypatch):
    (folder / "d.csv").write_text(GOOD)
    refusing(monkeypatch, INTERRUPTED)
    monkeypatch.setattr("tftrain.stopping._request.number", signal.SIGINT)
    with pytest.raises(Stopped) as stopped:
        draft(str(folder / "d.csv"), "y", folder / "new.yaml")
    assert stopped.value.exit_code == 130


def test_no_column_is_kept_of_a_table_of_images(folder):
    Image.new("L", (8, 8)).save(folder / "i.png")
    (folder / "d.csv").write_text(table(*["i.png,no", "i.png,yes"] * 9, names="p,y"))
    section = {"columns": {"p": "image"}, "size": [8, 8]}
    settings, source = config.load(written(folder, "d.csv", section, "BinaryCrossentropy"))
    preparation = data.load(settings, source).preparation
    with pytest.raises(DataError, match=r"D003\]: `y` can't be kept of a table of images"):
        data.unlabelled(settings, str(folder / "d.csv"), preparation, ["y"])


def test_an_image_that_is_named_often_is_told_once(folder):
    Image.new("L", (8, 8)).save(folder / "i.png")
    rows = ["i.png,no", "i.png,yes", "j.png,no"] * 5
    (folder / "d.csv").write_text(table(*rows, names="p,y"))
    section = {"columns": {"p": "image"}, "size": [8, 8]}
    gone = "D001]: j.png: no such file or folder"
    assert fault(folder, section=section) == f"c.yaml:2:11: error[{gone}"
    path = written(folder, "d.csv", {**section, "on_error": "skip"}, "BinaryCrossentropy")
    assert len(data.load(*config.load(path)).notes) == 1


def test_a_folder_of_an_unknown_class_is_named(folder):
    for name in ("train/a", "train/b", "test/a", "test/c", "test/d"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(9):
            Image.new("L", (8, 8), number).save(folder / "images" / name / f"{number}.png")
    section = {"target": None, "split": {"train": 0.8, "validation": 0.2}}
    said = fault(folder, "images", section).split("\n")
    unknown = "a folder of no class of the training rows: expected a, b"
    assert [line.partition("error")[2] for line in said] == [
        f"[D006]: images/test/{name}: {unknown}" for name in "cd"
    ]


def test_images_beside_tables_of_several_folders(folder):
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "d.csv").write_text(table(*["i.png,no", "i.png,yes"] * 5, names="p,y"))
    said = fault(folder, "*/d.csv", {"columns": {"p": "image"}})
    assert said == (
        "c.yaml:2:11: error[D002]: */d.csv: `p` names images from the table's folder, but `*` may "
        "be several: expected a pattern in the file's name alone"
    )


@pytest.mark.slow
def test_the_command_says_it_in_one_line(folder, warm_tftrain):
    (folder / "d.csv").write_text(table(*ROWS, "1,a,no,9"))
    path = written(folder, "d.csv", {}, "BinaryCrossentropy")
    done = warm_tftrain("fit", path, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"d.csv:32: {CELLS} 4\n")
    assert done.stderr.count("\n") == 1
    assert not (folder / "runs").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_query_that_runs_for_ever_can_be_stopped(number, folder):
    (folder / "d.csv").write_text(table(*LATE))
    query = "SELECT count(*) AS a, 'no' AS y FROM data, data AS b, data AS c, data AS d"
    path = written(folder, "d.csv", {"query": query}, "BinaryCrossentropy")
    command = [sys.executable, "-m", "tftrain", "fit", str(path)]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        while not _in_query(process.pid):
            time.sleep(0.1)
        process.send_signal(number)
        try:
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, said) == (128 + number, f"stopped by {number.name}\n")


def _in_query(process):
    """Whether it works although it has read all there is: more processor time than that takes."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 3
