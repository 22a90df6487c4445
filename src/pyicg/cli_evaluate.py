"""``pyicg evaluate``: the tables and figures of a margin trial from one table of lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pyicg._terminal import REFUSED, RESEARCH_USE
from pyicg.errors import InputError
from pyicg.io._results_folder import check_writable, write_files
from pyicg.io._trial_table import read_trial_table
from pyicg.published import resolve_prevalence

__all__ = ["evaluate"]

_OUTPUTS = (
    "accuracy.csv",
    "accuracy.md",
    "flow.csv",
    "summary.json",
    "roc.png",
    "calibration.png",
    "decision_curve.png",
)
_INSIDE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command()
@click.argument("lesions", type=click.Path(path_type=Path))
@click.option("--group", help="Column that names the patient; patient_id when there is one.")
@click.option(
    "--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Column that holds NAME, such as r1=histology."
)
@click.option(
    "--ci",
    type=click.Choice(["wilson", "clopper-pearson", "bca", "gee"]),
    help="Naive interval of proportions (wilson, clopper-pearson) or the clustered one (bca, gee).",
)
@click.option(
    "--prevalence",
    "prevalences",
    multiple=True,
    help="PPV and NPV at this share of R1 too: a number, mimic-overall or mimic-accuracy. May be repeated.",
)
@click.option("--threshold-mm", type=click.FloatRange(min=0, min_open=True), help="margin_mm below it is R1; 1 mm.")
@click.option("--tie", type=click.Choice(["R0", "R1"]), help="What a margin of exactly the threshold is; R0.")
@click.option("--first", type=click.IntRange(min=1), help="First procedures of a centre in the learning curve; 10.")
@click.option(
    "--risk-threshold", type=_INSIDE, default=0.2, show_default=True, help="Risk of R1 at which one would cut again."
)
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), required=True)
def evaluate(
    lesions: Path,
    group: str | None,
    columns: tuple[str, ...],
    ci: str | None,
    prevalences: tuple[str, ...],
    threshold_mm: float | None,
    tie: Literal["R0", "R1"] | None,
    first: int | None,
    risk_threshold: float,
    folder: Path,
) -> int:
    """Evaluate a fluorescent sign against histology, from a CSV table with one row per lesion.

    Writes accuracy.csv, accuracy.md, flow.csv, summary.json and the figures.
    """
    check_writable(folder)
    _keep_input(lesions, folder)
    at: dict[float, float | str] = {}
    for value in map(_prevalence, prevalences):
        at.setdefault(resolve_prevalence(value)[0], value)
    table = read_trial_table(
        lesions,
        group=group,
        names=_names(columns),
        threshold_mm=1.0 if threshold_mm is None else threshold_mm,
        tie=tie or "R0",
    )
    for option, given, column in (
        ("--threshold-mm", threshold_mm, "margin_mm"),
        ("--tie", tie, "margin_mm"),
        ("--first", first, "procedure"),
    ):
        if given is not None and not table.has(column):
            raise InputError(f"{option} needs the column {column}, which {lesions} lacks; take the option out")
        if given is not None and column == "margin_mm" and table.threshold_mm is None:
            raise InputError(
                f"{option} makes R1 out of margin_mm, but the column {table.columns['r1']} of {lesions} says what is "
                "R1; take the option out, or the column"
            )

    from pyicg.report.trial_figures import pictures
    from pyicg.report.trial_tables import accuracy_csv, flow_csv, markdown, summary_json, terminal
    from pyicg.trial import analyse_trial
    from pyicg.trial_results import TrialOptions

    options = TrialOptions(
        ci=ci,
        prevalences=tuple(at.values()),
        first=10 if first is None else first,
        risk_threshold=risk_threshold,
    )
    analysis = analyse_trial(table, options, progress=True)
    drawn = pictures(analysis)
    files = {
        "accuracy.csv": accuracy_csv(analysis),
        "accuracy.md": markdown(analysis, list(drawn)),
        "flow.csv": flow_csv(analysis),
        "summary.json": summary_json(analysis),
        **drawn,
    }
    write_files(folder, files, remove=[name for name in _OUTPUTS if name not in files])
    click.echo(f"{terminal(analysis)}\n\nresults  {folder / 'accuracy.md'}\n{RESEARCH_USE}")
    return 0 if analysis.complete else REFUSED


def _keep_input(lesions: Path, folder: Path) -> None:
    """Raise `InputError` when a result would take the place of the table of lesions."""
    for name in _OUTPUTS:
        if (folder / name).exists() and lesions.exists() and (folder / name).samefile(lesions):
            raise InputError(
                f"{lesions}: the results in {folder} would overwrite this table; choose another folder with -o"
            )


def _prevalence(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _names(columns: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in columns:
        name, equals, column = text.partition("=")
        if not equals or not name.strip() or not column.strip():
            raise click.UsageError(f'--column takes NAME=COLUMN such as r1=histology, found "{text}"')
        found[name.strip()] = column.strip()
    return found
