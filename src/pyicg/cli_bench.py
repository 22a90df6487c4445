"""``pyicg bench``: stages and the whole frame beside the peers that are installed."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Container, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyicg import _core
from pyicg._terminal import REFUSED, RESEARCH_USE, aligned
from pyicg._threads import processors
from pyicg.io._results_folder import check_writable, write_files

if TYPE_CHECKING:
    from pyicg._bench.measure import Timing
    from pyicg._bench.work import Stage

__all__ = ["bench"]

_Row = dict[str, Any]

_SUFFIXES = (".csv", ".json")


@click.command()
@click.option("--size", type=click.Choice(["256", "1080p", "4k"]), help="Pixels of the frame; 1080p when left out.")
@click.option("--threads", type=click.IntRange(min=1), help="Of pyicg and of OpenCV; 1 when left out.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Calls behind each median.")
@click.option("--scaling", is_flag=True, help="Full score only: every size, 1 to all threads, a frame per thread.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the times too: .csv or .json."
)
def bench(size: str | None, threads: int | None, rounds: int, scaling: bool, output: Path | None) -> int:
    """Time pyicg on a simulated frame, beside numpy + scipy + scikit-image and OpenCV where they are installed.

    Outputs are compared before any ratio is given.
    """
    available = processors()
    if scaling and (size is not None or threads is not None):
        raise click.UsageError("--scaling measures every size and number of threads; leave --size and --threads out")
    if threads is not None and threads > available:
        raise click.UsageError(f"--threads is {threads}, but this process may use {available} processors")
    if output is not None:
        if output.suffix not in _SUFFIXES:
            raise click.UsageError(f"-o takes a name that ends in {' or '.join(_SUFFIXES)}, found {output}")
        check_writable(output.parent)

    from pyicg._bench.measure import SIZES, machine

    about = {"pyicg": _core.version(), "instruction_set": _core.instruction_set(), "machine": machine()}
    click.echo("SIMULATED frame; pyicg {pyicg} with {instruction_set} kernels on {machine}".format(**about))
    if scaling:
        found = _rates(range(1, available + 1), rounds)
        wrong = False
    else:
        found, wrong = _stages(SIZES[size or "1080p"], threads or 1, rounds)
    if output is not None:
        _write(output, [{**row, **about} for row in found])
        click.echo(f"times    {output}")
    click.echo(RESEARCH_USE)
    return REFUSED if wrong else 0


def _stages(shape: tuple[int, int], threads: int, rounds: int) -> tuple[list[_Row], bool]:
    """Print the table; return its rows and whether an output of pyicg was wrong."""
    from tqdm import tqdm

    from pyicg._bench.measure import measure, missing_peers, peers_of, pinned, prepare
    from pyicg._bench.with_pyicg import FullScore, WithPyicg
    from pyicg._bench.work import STAGES, Contender

    lines: list[tuple[str, ...]] = [("stage", "pyicg, ms", "MB/s", "copies", "peer", "peer, ms", "ratio")]
    rows: list[_Row] = []
    wrong = False
    with pinned(threads):
        work = prepare(shape)
        ours: list[Contender] = [WithPyicg(work.scene, threads), FullScore(work.scene)]
        peers = peers_of(work.scene, threads)
        fitting = {contender.name for contender in ours if contender.fits_rims}
        click.echo(
            f"{shape[0]} x {shape[1]} pixels, {threads} pinned {'thread' if threads == 1 else 'threads'}, medians of "
            f"{rounds}, in turn with {'; '.join(dict.fromkeys(peer.version for peer in peers))}"
        )
        times = measure(work, [*ours, *peers], rounds=rounds, stages=STAGES)
        for stage, timings in tqdm(times, total=len(STAGES), unit="stage", leave=False, disable=None):
            own = timings[: len(ours)]
            lines += _lines(stage, own, timings[len(ours) :], fitting)
            wrong |= any(timing.status == "outputs differ" for timing in own)
            place = {"height": shape[0], "width": shape[1], "threads": threads}
            rows += [{**place, **asdict(timing), "fitted": timing.contender in fitting} for timing in timings]
    click.echo(aligned(lines))
    click.echo(
        "copies: how many memory copies of as many bytes fit into the time. ratio: peer / pyicg.\n"
        "* more than its peers give: rims are fitted, with sub-pixel contours and uncertainties; masks differ."
    )
    for package in missing_peers():
        click.echo(f"not installed, so not measured: {package}")
    return rows, wrong


def _lines(
    stage: Stage, own: Sequence[Timing], others: Sequence[Timing], fitting: Container[str]
) -> list[tuple[str, ...]]:
    """Return the table's lines of one stage: beside the best peer, or beside each where one of ours fits rims."""
    from pyicg._bench.measure import best

    beside = [best(others)] if stage.fitted is None else [peer for peer in others if peer.status != "not offered"]
    lines = []
    for timing in [t for t in own if t.status != "not offered"] or own[:1]:
        name = stage.name if timing is own[0] else timing.contender.removeprefix("pyicg, ")
        cells = _own(f"{name} *" if timing.contender in fitting else name, timing)
        for peer in beside or [None]:
            lines.append((*cells, *_beside(timing, peer)))
            cells = ("",) * len(cells)
    return lines


def _own(name: str, timing: Timing) -> tuple[str, ...]:
    if timing.status == "not offered":
        return name, timing.status, "", ""
    return name, f"{timing.ms:.3g}", f"{timing.mb_s:.0f}", f"{timing.copies:.3g}"


def _beside(timing: Timing, peer: Timing | None) -> tuple[str, str, str]:
    if peer is None:
        return "none", "", ""
    if "outputs differ" in (timing.status, peer.status):
        return peer.contender, f"{peer.ms:.3g}", "outputs differ"
    return peer.contender, f"{peer.ms:.3g}", f"{peer.ms / timing.ms:.3g}" if timing.status == "measured" else ""


def _rates(threads: Sequence[int], rounds: int) -> list[_Row]:
    """Print how many frames a second are scored, for every size and number of threads; return the rows."""
    from pyicg._bench.measure import SIZES
    from pyicg._bench.scaling import scaling

    lines = [("full score of", "threads", "ms per frame", "frames/s", "times one thread")]
    rows: list[_Row] = []
    alone = math.nan
    for rate in scaling(list(SIZES.values()), threads, rounds=rounds):
        if rate.threads == 1:
            alone = rate.ms_per_frame
        height, width = rate.shape
        per_s, gain = 1e3 / rate.ms_per_frame, alone / rate.ms_per_frame
        place = f"{height} x {width}", str(rate.threads)
        lines.append((*place, f"{rate.ms_per_frame:.3g}", f"{per_s:.3g}", f"{gain:.2f}"))
        rows.append(
            {"height": height, "width": width, "threads": rate.threads, "ms": rate.ms_per_frame, "rounds": rate.rounds}
        )
    click.echo(aligned(lines))
    return rows


def _write(output: Path, rows: Sequence[_Row]) -> None:
    """Write a table of the rows; what has no time has an empty cell, or null."""
    plain = [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in rows
    ]
    if output.suffix == ".json":
        text = json.dumps({"simulated": True, "rows": plain}, indent=1) + "\n"
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, list(plain[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(plain)
        text = table.getvalue()
    write_files(output.absolute().parent, {output.name: text.encode()})
