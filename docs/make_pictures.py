"""Draws the pictures of docs/tutorial-course.md.

    python docs/make_pictures.py [FOLDER]

TensorFlow isn't imported. A test draws them again and compares what is written in them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tftrain.explain import curves, derivation, drawing, facts

FOLDER = Path(__file__).with_name("pictures")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name in draw(folder):
        print(folder / name)


def draw(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    entropy = facts.entropy("0.3", "0.5")
    figures = {"entropy": curves.figure(entropy.curves, entropy.title, entropy.axis)}
    for name, (text, at) in derivation.EXAMPLES.items():
        figures[name] = drawing.graph(derivation.derive(text, [at], tape=False))
    for name, figure in figures.items():
        drawing.save(figure, folder / f"{name}.svg")
    return [f"{name}.svg" for name in figures]


if __name__ == "__main__":
    main()
