"""What can go wrong by a user's hand, where it went wrong, and the exit code that says so."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from types import MappingProxyType
from typing import Literal

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        0: "done; or ended by `--time-limit`, to go on later: the run's state is `stopped`",
        1: "a `--require` bound was not met; a check of a smoke run, `doctor` or `explain` failed",
        2: "wrong usage, config, data or run directory",
        3: "training could not go on: a loss that is not finite, storage that failed",
        70: "a bug in tftrain, told with its traceback",
        130: "stopped by SIGINT (Ctrl-C)",
        141: "whoever read the output went away",
        143: "stopped by SIGTERM",
    }
)
CODES: Mapping[str, str] = MappingProxyType(
    {
        "C001": "not valid YAML, or more than one document",
        "C002": "a key given twice",
        "C003": "an alias",
        "C004": "a tag",
        "C005": "not UTF-8, or a character that no text may hold",
        "C006": "too large, or nested too deep",
        "C007": "the config's file can't be read",
        "C008": "an override without the form PATH=VALUE",
        "C009": "an override's path leads nowhere, or to no list where one is appended to",
        "C010": "an unknown key",
        "C011": "a key is missing",
        "C012": "a value of the wrong kind",
        "C013": "a value out of bounds",
        "C014": "not one of the words or forms that can stand here",
        "C015": "not a Keras name, nor a name with its arguments",
        "C020": "fractions that don't add up to 1",
        "C021": "a callback watches what nobody logs",
        "C022": "two metrics of one name",
        "C023": "a weight for a class that isn't there",
        "C024": "names of arrays where there is no .npz file",
        "C025": "a key for another kind of data",
        "C030": "a requirement without the form METRIC>=X, or of an unknown metric",
        "C031": "a name that is given to a command and known to none: of a template, of a code",
        "C032": "values to try in a sweep that have none of the forms",
        "C033": "a sweep of nothing, for nothing that is logged, or of what can't be searched",
        "C034": "storage that a sweep can't use",
        "C035": "a study that isn't there, or that is another sweep",
        "C036": "a package that is not installed",
        "C037": "a condition on runs without the form NAME<X, or of a name that no run has",
        "C040": "a config to extend that can't be read, or that extends this one",
        "C041": "an environment variable that isn't set, or `${` without the form ${env:NAME}",
        "C050": "a file of code that can't be read, or registers nothing",
        "C051": "code registers a name that can't be used",
        "C052": "code that would run without leave",
        "C053": "code that failed as it ran",
        "D001": "a data file is missing",
        "D002": "a data file can't be read",
        "D003": "an array is missing, or labels are",
        "D004": "an array of the wrong shape or kind",
        "D005": "a value that is not finite",
        "D006": "labels or weights that this training can't take",
        "D007": "no rows, or too few",
        "D008": "the data are no longer those of the run",
        "D009": "rows that TensorFlow can't compute with",
        "D010": "a query that duckdb refuses",
        "D011": "a column that this training can't take",
        "D020": "rows of the test or validation part that are training rows too",
        "D021": "a column that gives the target away",
        "D022": "a class of very few rows",
        "D023": "a class that a part has no row of",
        "D024": "texts that differ by spaces or capitals only",
        "D025": "a column whose cells may be meant otherwise than they are read",
        "D026": "images that are left out",
        "D027": "groups that are in the training part and in another file",
        "D028": "whole numbers too large to be told apart",
        "E001": "an expression that can't be read, or is too large",
        "E002": "values that don't fit an expression",
        "E003": "a value or a derivative that is no finite number",
        "E004": "a package that explanations need isn't installed",
        "K001": "Keras has no such object, or tftrain refuses it",
        "K002": "an argument that the Keras object doesn't have",
        "K003": "an argument is missing",
        "K004": "Keras refuses an argument's value",
        "K005": "a layer that doesn't fit the one before, or outputs that don't fit the labels",
        "K006": "a loss or a metric that can't take these labels and outputs",
        "K007": "a value that this argument of a Keras object doesn't take",
        "K008": "Keras makes another shape than tftrain's rules say",
        "K009": "a network that doesn't fit in this machine's memory",
        "K010": "a network that only Keras, or its rows, could tell all about",
        "N001": "softmax over a single unit",
        "N002": "a binary cross-entropy on outputs that are no probabilities",
        "N003": "logits promised, probabilities given",
        "N004": "a cross-entropy over classes on outputs that are no probabilities",
        "N005": "sigmoid where the classes exclude each other",
        "N006": "a hinge loss on outputs of one sign",
        "N007": "the Poisson loss on outputs that may be negative",
        "N008": "labels of a form that the loss doesn't take",
        "N009": "more outputs than classes",
        "N010": "an output activation that can't reach the targets",
        "N011": "outputs that are never negative, targets that are",
        "N012": "linear outputs for targets that are never negative",
        "N013": "class numbers learnt as if they were quantities",
        "N014": "a loss for numbers on classes",
        "N015": "a metric of classes on numbers",
        "N016": "an F-score without a threshold on one output",
        "N017": "a metric that cuts logits or margins at 0.5",
        "N018": "a metric that tells nothing of these outputs",
        "N019": "a ReLU output that may start dead",
        "N020": "logits squeezed by an activation",
        "N021": "a network that is one linear map",
        "N022": "linear layers in a row",
        "N023": "a deep stack of sigmoid or tanh",
        "N024": "sigmoid in hidden layers",
        "N025": "a deep stack of ReLU without normalisation",
        "N026": "softmax in a hidden layer",
        "N027": "weights so large that units start saturated",
        "N028": "units that can never become different, or never learn",
        "N029": "a hidden layer whose units start alike",
        "N030": "nothing to train",
        "N031": "noise after the output layer",
        "N032": "Dropout right before the output of a regression",
        "N033": "Dropout that drops everything",
        "N034": "a Dropout rate out of the usual range",
        "N035": "BatchNormalization over a single row",
        "N036": "BatchNormalization with a last batch of one row",
        "N037": "a bias that BatchNormalization takes away again",
        "N038": "two activations in a row",
        "N039": "Dropout before BatchNormalization",
        "N040": "SELU without its initializer or its Dropout",
        "N041": "far more parameters than rows, and nothing against overfitting",
        "N050": "patience that never runs out",
        "N051": "the best weights are not kept",
        "N052": "training stops before the learning rate would fall",
        "N053": "a callback that watches the training rows",
        "N054": "many epochs and no validation",
        "N055": "many epochs and no early stopping",
        "N056": "a learning rate that is not positive",
        "N057": "a learning rate above the optimizer's usual range",
        "N058": "a learning rate below the optimizer's usual range",
        "N059": "a batch larger than the training set",
        "N060": "an update after every row of a large set",
        "N061": "one update an epoch on a very large set",
        "N062": "a schedule that doesn't fit the number of updates",
        "N063": "a callback that can't change a scheduled learning rate",
        "N064": "batches that are the same in every epoch",
        "N065": "XLA for few epochs",
        "N066": "weights decayed twice",
        "N070": "unscaled inputs in front of sigmoid or tanh",
        "N071": "unscaled inputs",
        "N072": "unequal classes without weights",
        "N073": "numbers that an Embedding doesn't know",
        "R001": "no such run, no finished one, or no such split of it",
        "R002": "a run's file is damaged, or of a newer tftrain",
        "R003": "a file or folder can't be read or written",
        "R004": "a run that can't be gone on with",
        "T001": "the loss, or a weight, is no longer finite",
        "T002": "TensorFlow can't compute a batch",
        "T003": "a callback failed",
        "T004": "a sweep that came to nothing: every trial failed, or every worker ended",
    }
)
Severity = Literal["error", "warning", "hint"]
_SHORTEST = 3
_MOST = 12
_WIDEST = 240
# controls but for tab and line end, and what turns the direction of writing
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NODES = re.compile(r"\{\{\w+ [^}]*\}\}")  # TensorFlow's names of its own


@dataclass(frozen=True)
class Mark:
    """A place in what the user wrote: a file, a line and a column, counted from 1.

    Args:
        source: the file's path as the user gave it, or `override 'training.epochs=x'`.
        line: the line, or None where the whole source is meant.
        column: the column in characters, or None.
    """

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = [self.source, self.line, self.column]
        return ":".join(str(part) for part in place if part is not None)


@dataclass(frozen=True)
class Problem:
    """One fault: `PATH:LINE:COL: error[CODE]: MESSAGE`.

    Args:
        mark: where.
        code: which kind, one of `CODES`.
        message: what is wrong, what was expected, the nearest right thing.
        severity: an error stops the job; a warning is probably not meant; a hint is advice.
    """

    mark: Mark
    code: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return one_line(f"{self.mark}: {self.severity}[{self.code}]: {self.message}")


class TftrainError(Exception):
    """Something a user can cause and mend; shown without a traceback."""

    exit_code = 2

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigError(TftrainError):
    """The config, an override or a Keras object in it is wrong."""


class DataError(TftrainError):
    """A data file is missing, unreadable, or holds what can't be trained on."""


class RunError(TftrainError):
    """A run directory can't be found, read or written."""


class StorageError(RunError):
    """Storage failed under a running job: a full disk, a folder that went away."""

    exit_code = 3


class TrainingError(TftrainError):
    """Training could not go on."""

    exit_code = 3


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """The user or the system asked the job to stop.

    Args:
        reason: by whom.
        exit_code: of the process.
        run: the run's folder, where one was open.
        on: how it can be gone on with, to be said after the reason.
    """

    def __init__(self, reason: str, exit_code: int, run: Path | None = None, on: str = "") -> None:
        self.reason = reason
        self.exit_code = exit_code
        self.run = run
        super().__init__(f"stopped by {reason}{on}")

    @classmethod
    def by(cls, signal: int) -> Stopped:
        """By a signal: a shell expects 128 more than its number."""
        return cls(Signals(signal).name, 128 + signal)


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean `X`?` with the nearest of the names, or nothing where none is near."""
    near = nearest(word, names)
    return "" if near is None else f"; did you mean `{near}`?"


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that a word begins, or else the one most like it.

    Words of one or two letters and numbers are near to nothing but themselves in other letters.
    """
    folded = {name.casefold().replace("_", ""): name for name in names}
    asked = word.casefold().replace("_", "")
    vague = len(asked) < _SHORTEST or not any(letter.isalpha() for letter in asked)
    longer = [name for name in folded if name.startswith(asked)]
    if longer and not vague:
        return folded[min(longer, key=len)]
    near = difflib.get_close_matches(asked, folded, n=1, cutoff=1 if vague else 0.6)
    return folded[near[0]] if near else None


def listed(names: Iterable[str]) -> str:
    """`a, b, c`, cut short where there are many."""
    every = list(names)
    return ", ".join(every[:_MOST]) + (f", ... ({len(every)})" if len(every) > _MOST else "")


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,332 rows`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def first_line(error: BaseException) -> str:
    """What an exception says, as one line of bearable length."""
    text = " ".join(_NODES.sub("", str(error)).split()) or type(error).__name__
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def one_line(text: str) -> str:
    """Text that moves no cursor: a stranger's key may hold line ends and commands to terminals."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def harmless(text: str) -> str:
    """Lines of text, or of JSON, as they are, but for commands to terminals, written out."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
