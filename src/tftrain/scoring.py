"""The commands that look at runs: eval, compare, report, runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tftrain.console import (
    RUNS,
    AllowCode,
    Json,
    Require,
    RunsDir,
    emit,
    emit_json,
    exit_unless_met,
    tell,
)

if TYPE_CHECKING:
    from tftrain.assess import Assessed


def evaluate(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's directory or name; the newest.")
    ] = None,
    *,
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Other rows with labels, of the same kind as the run's."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="train, validation or test; without it, test.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="Of two classes: the second lies above it.")
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of two classes: with the threshold that finds this share of the second class's "
            "validation rows.",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Score groups of rows too, by a column.")
    ] = None,
    runs_dir: RunsDir = RUNS,
    require: Require = None,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Say how good a finished run is on its test split, or on other data, and how sure that is."""
    from tftrain import assess, predict, recorded, runs, scores, spread
    from tftrain import require as requirement

    if data is not None and split is not None:
        message = "not with --data, whose rows are of no split"
        raise typer.BadParameter(message, param_hint="'--split'")
    folder, summary = runs.find(runs_dir, run)
    if data is not None:
        predict.require_source(data)
    part = "data" if data is not None else split or "test"
    known = summary["metrics"] | {"": scores.figures(len(summary["classes"] or ()))}
    requirements = requirement.parse(require or (), requirement.names(known, part))
    found = recorded.read(folder, summary, allow_code=allow_code)
    wish = scores.Wish(threshold, recall)
    made = assess.of_run(found, part, data, wish=wish, by=by, say=tell)
    _emit_assessed(folder, part, made, as_json=as_json)
    values = made.assessment.values() if made.assessment else {}
    pooled = spread.crossvalidated(summary) and data is None  # its metrics are means of the folds
    shown = made.metrics | values if pooled else values | made.metrics
    exit_unless_met(requirements, {part: shown})


def _emit_assessed(folder: Path, part: str, made: Assessed, *, as_json: bool) -> None:
    from tftrain import scoreboard, terminal

    tell(*made.notes)
    if as_json:
        found = made.assessment and made.assessment.plain()
        emit_json({"run": str(folder), "metrics": {part: made.metrics}, "assessment": found})
    elif made.assessment is None:
        emit(terminal.metrics_table({part: made.metrics}), folder)
    else:
        emit(*scoreboard.lines(made.assessment, made.metrics), folder)


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Runs' directories or names.")
    ],
    *,
    split: Annotated[str, typer.Option(help="validation or test.")] = "test",
    runs_dir: RunsDir = RUNS,
    as_json: Json = False,
) -> None:
    """Compare finished runs: metrics with intervals, paired tests, config and environment."""
    from tftrain import comparison, scoreboard

    if len(names) < 2:  # noqa: PLR2004 - a comparison is of two at least
        raise typer.BadParameter("expected two runs at least", param_hint="'RUN RUN...'")
    found = comparison.compare(runs_dir, names, split)
    if as_json:
        emit_json(found.plain())
    else:
        emit(*scoreboard.compared(found))


def report(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN [RUN...]", help="Runs' directories or names.")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where the page goes, an .html file; of one run it is report.html in its folder "
            "if not given.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="validation or test; without it test, or else validation."),
    ] = None,
    png: Annotated[
        bool, typer.Option("--png", help="Write the pictures beside the page too, as PNG files.")
    ] = False,
    runs_dir: RunsDir = RUNS,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Write a page to look at: of one run, whatever its state, or of finished ones compared."""
    from tftrain import reporting

    if len(names) > 1 and output is None:
        raise typer.BadParameter("expected a file for several runs", param_hint="'--output' / '-o'")
    wanted = reporting.Wanted(output, split, png=png, allow_code=allow_code)
    page, *pictures = reporting.report(runs_dir, names, wanted, tell)
    if as_json:
        emit_json({"report": str(page), "pictures": [str(one) for one in pictures]})
    else:
        emit(*pictures, page)


def list_runs(
    *,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME<X",
            help="Only runs of which this is so: val_loss<0.1, state==finished. Repeatable; <, <=, "
            ">, >=, ==, !=.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Best first by a metric (test_auc, val_loss) or another figure; -NAME: worst "
            "first.",
        ),
    ] = None,
    runs_dir: RunsDir = RUNS,
    as_json: Json = False,
) -> None:
    """List the runs, newest first; `interrupted` is what ended without a word, as by a kill."""
    from tftrain import query, runs, terminal

    every = runs.summaries(runs_dir)
    if not every:
        tell(f"no runs in {runs_dir}")
    found = query.select(every, where or (), sort)
    if as_json:
        emit_json([{"run": str(folder), **summary} for folder, summary in found])
    else:
        emit(terminal.runs_table(found))
