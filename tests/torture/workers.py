"""Workers of one study, some killed by `kill -9`: each set of values is trained once, none is lost.

python tests/torture/workers.py [20]

With PostgreSQL, a cluster of its own on a socket in a folder that is gone afterwards, and 4 workers
that know nothing of each other; with sqlite, 2 workers.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import common

from tftrain import runs
from tftrain.sweep import storage, study

TRIALS = 12
_PASSWORD = "secret-of-the-database"  # noqa: S105 - which a socket doesn't ask for
_COMMAND = (
    *("fragile.yaml", "training.epochs=60", "training.callbacks=null"),
    *("model.layers.0.Dense.units=choice(4,8,16,32)", "seed=int(1,3)"),
    *("--trials", str(TRIALS), "--heartbeat", "1s"),
)


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, None where it isn't installed."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = Path(found) if found else folders[-1] if folders else None
    return path and path.parent


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a database that is gone afterwards."""
    owner = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    name = "nobody" if owner else "tester"
    with common.folder() as folder:
        folder.chmod(0o755)
        home = folder / "pg"
        home.mkdir()
        if owner:
            shutil.chown(home, "nobody", "nogroup")
        bin_ = programs()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home, **owner}
        made = [bin_ / "initdb", "-D", home / "data", "-A", "trust", "-U", name, "--no-sync"]
        subprocess.run(made, check=True, **quiet)
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={home}"]
        server = subprocess.Popen([bin_ / "postgres", "-D", home / "data", *options], **quiet)
        try:
            while not (home / ".s.PGSQL.5432").exists():
                assert server.poll() is None, "PostgreSQL doesn't start"
                time.sleep(0.05)
            yield f"postgresql://{name}:{_PASSWORD}@/postgres?host={home}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def tried(folder: Path, url: str, number: int, count: int, sampler: str) -> list[str]:
    """Lets workers work, kills one that trains, and says all that is not as it must be."""
    name, chance = f"study-{number}", random.Random(number)
    options = ("--study", name, "--storage", url, "--sampler", sampler, "--runs-dir", name)
    workers = [common.Fit(["sweep", *_COMMAND, *options], folder, warm=False) for _ in range(count)]
    victim = chance.choice(workers)
    path = folder / name
    hit = common.until(lambda: _training(path, victim.pid), victim)
    time.sleep(chance.uniform(0, 0.3))
    victim.send_signal(signal.SIGKILL)
    ended = [worker.ended() for worker in workers]
    faults = [
        f"worker: {one.code}: {one.said}"
        for one, worker in zip(ended, workers, strict=True)
        if one.code != 0 and worker is not victim
    ]
    faults += [] if hit else ["nothing was hit"]
    faults += _faults(storage.where(url, folder), name)
    return faults + _told(path, [one.said for one in ended])


def _training(path: Path, process: int) -> bool:
    """Whether a process has a run under way."""
    for summary in path.glob(f"*/{runs.SUMMARY}"):
        told = json.loads(summary.read_bytes())
        if told.get("process") == process and told["state"] == runs.RUNNING:
            return True
    return False


def _faults(place: storage.Where, name: str) -> list[str]:
    """What a study holds twice, or not at all, or unfinished."""
    with storage.quiet():
        connected = storage.connect(place, 60)
        every = study.load(connected, name)
        trials = every.get_trials(deepcopy=False)
        known = study.tried(every)
        definition = every.user_attrs["definition"]
        connected.remove_session()
        connected.engine.dispose()
    complete = [trial.number for trial in trials if trial.state.name == "COMPLETE"]
    found = []
    if len(complete) != TRIALS or len(known) != TRIALS:
        found.append(f"{len(complete)} complete of {len(known)}, expected {TRIALS}")
    if any(len(set(one.attempts) & set(complete)) != 1 for one in known):
        found.append("a trial that is complete twice, or never")
    if not any(len(one.attempts) > 1 for one in known):
        found.append("no trial was tried again")
    if any(not trial.state.is_finished() for trial in trials):
        found.append("a trial that is left running or waiting")
    values = Counter(str(sorted(one.trial.params.items())) for one in known)
    if definition["sampler"] == "grid" and len(values) != TRIALS:
        found.append(f"{len(values)} different points of a grid of {TRIALS}")
    return found


def _told(path: Path, said: list[str]) -> list[str]:
    """Where the password of the database's URL can be read."""
    files = [file for file in path.rglob("*") if file.is_file()]
    found = [str(file) for file in files if _PASSWORD.encode() in file.read_bytes()]
    return [f"the password is in {one}" for one in found] + [
        f"the password is in what was said: {one}" for one in said if _PASSWORD in one
    ]


def main(count: int, kind: str) -> bool:
    """So many studies on one kind of storage, a worker killed in each."""
    faults: list[str] = []
    begun = time.perf_counter()
    with common.folder() as folder:
        for number in range(count):
            sampler = ("grid", "random")[number % 2]
            if kind == "sqlite":
                url = str(folder / f"studies-{number}.sqlite3")
                faults += tried(folder, url, number, 2, sampler)
            else:
                with postgresql() as url:
                    faults += tried(folder, url, number, 4, sampler)
            print(number, *faults or ["ok"], file=sys.stderr, flush=True)
    figures = {
        "studies, a worker killed in each": count,
        "trials": count * TRIALS,
        "faults": faults or "none",
        "seconds a study": round((time.perf_counter() - begun) / count, 1),
    }
    return common.report(f"workers of one study, {kind}", figures, good=not faults)


if __name__ == "__main__":
    many = common.count(20)
    kinds = ["postgresql", "sqlite"] if programs() else ["sqlite"]
    good = [main(many, kind) for kind in kinds]
    sys.exit(not all(good))
