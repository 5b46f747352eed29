"""The same config and seed twice, for each number of threads: the same to the last bit.

Once in a process of its own, once in one forked from another that had imported TensorFlow.

python tests/torture/repeat.py
"""

from __future__ import annotations

import sys

import common

THREADS = (1, 2, 4)


def main(
    configs: tuple[str, ...] = ("fragile.yaml", str(common.DIGITS)),
    several: tuple[int, ...] = THREADS,
) -> bool:
    figures, good = {}, True
    with common.folder() as folder:
        for place, config in enumerate(configs):
            for threads in several:
                runs_dir = folder / f"runs-{place}-{threads}"
                change = f"training.threads={threads}"
                for warm in (False, True):
                    done = common.run(config, change, runs_dir=runs_dir, cwd=folder, warm=warm)
                    assert done.code == 0, done.said
                paths = sorted(path for path in runs_dir.iterdir())
                first, second = map(common.result, paths)
                predicted = common.predictions(paths)
                first["predictions"], second["predictions"] = predicted.values()
                differing = [name for name in first if first[name] != second[name]]
                good &= not differing
                name = config.rpartition("/")[2]
                figures[f"{name}, threads {threads}"] = differing or "equal"
    return common.report("same config and seed twice", figures, good=good)


if __name__ == "__main__":
    sys.exit(not main())
