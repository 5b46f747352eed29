"""The main job by tftrain, by plain Keras and by its peers, each as a whole process, in turns.

    python benchmarks/peers.py --lightning LIGHTNING_VENV/bin/python --ludwig LUDWIG_VENV/bin/ludwig

A peer whose program isn't given is left out. 100 epochs on the handwritten 0 and 1, the same
network; the notes' script of plain Keras has no metrics and no validation, the others have both.
Then `--help`, and the answer to a misspelt key (`epoch` for `epochs`).
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from measure import DIGITS, ROOT, environment, machine, rounds_option, spread, tftrain
from sklearn.datasets import load_digits

PEERS = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True)
class Commands:
    """What one program is asked: to train, to help, to train by a config with a misspelt key."""

    fit: Sequence[str]
    help: Sequence[str] | None = None
    misspelt: Sequence[str] | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a command, its output piped."""

    seconds: float
    code: int
    printed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lightning", help="the Python that has Lightning and scikit-learn")
    parser.add_argument("--ludwig", help="Ludwig's program")
    rounds_option(parser, 3)
    asked = parser.parse_args()
    machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = {"tftrain": ours(folder), "plain Keras": plain_keras()}
        if asked.lightning:
            programs["Lightning"] = lightning(asked.lightning, folder)
        if asked.ludwig:
            programs["Ludwig"] = ludwig(asked.ludwig, folder)
        for what in ("help", "misspelt", "fit"):
            print(f"{what}:")
            answers: dict[str, list[Answer]] = {program: [] for program in programs}
            for _ in range(asked.rounds):
                for program, commands in programs.items():
                    if command := getattr(commands, what):
                        answers[program].append(run(command, folder))
            for program, given in answers.items():
                if given:
                    seconds = spread([answer.seconds for answer in given], " s")
                    last = given[-1]
                    print(f"  {program}: {seconds}, exit {last.code}, {last.printed:,} bytes")


def ours(folder: Path) -> Commands:
    fit = tftrain("fit", DIGITS, "training.callbacks=[]", "--runs-dir", str(folder / "runs"))
    misspelt = folder / "misspelt.yaml"
    misspelt.write_text(Path(DIGITS).read_text("utf-8").replace("epochs:", "epoch:"), "utf-8")
    return Commands(fit, tftrain("fit", "--help"), tftrain("fit", str(misspelt)))


def plain_keras() -> Commands:
    return Commands([sys.executable, str(ROOT / "benchmarks" / "notes_script.py")])


def lightning(python: str, folder: Path) -> Commands:
    script = [python, str(PEERS / "lightning_digits.py"), "fit"]
    config = (PEERS / "lightning.yaml").read_text("utf-8")
    misspelt = folder / "lightning_misspelt.yaml"
    misspelt.write_text(config.replace("max_epochs:", "max_epoch:"), "utf-8")
    fit = [*script, "-c", str(PEERS / "lightning.yaml")]
    return Commands(fit, [*script, "--help"], [*script, "-c", str(misspelt)])


def ludwig(program: str, folder: Path) -> Commands:
    rows = folder / "digits.csv"
    x, y = load_digits(return_X_y=True)
    pixels = [f"pixel_{place}" for place in range(x.shape[1])]
    with rows.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*pixels, "digit"])
        pairs = zip(x, y, strict=True)
        writer.writerows([*map(int, row), label] for row, label in pairs if label in (0, 1))
    config = yaml.safe_load((PEERS / "ludwig.yaml").read_text("utf-8"))
    config["input_features"] = [{"name": pixel, "type": "number"} for pixel in pixels]
    right, wrong = folder / "ludwig.yaml", folder / "ludwig_misspelt.yaml"
    right.write_text(yaml.safe_dump(config), "utf-8")
    config["trainer"]["epoch"] = config["trainer"].pop("epochs")
    wrong.write_text(yaml.safe_dump(config), "utf-8")
    train = [program, "train", "--dataset", str(rows), "-c"]
    return Commands([*train, str(right)], [program, "train", "--help"], [*train, str(wrong)])


def run(command: Sequence[str], folder: Path) -> Answer:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, check=False)
    seconds = time.perf_counter() - started
    return Answer(seconds, done.returncode, len(done.stdout) + len(done.stderr))


if __name__ == "__main__":
    main()
