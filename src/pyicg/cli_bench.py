"""``pyicg bench``: stages and the whole frame beside the peers that are installed."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyicg import _core
from pyicg._terminal import REFUSED, RESEARCH_USE, aligned
from pyicg.io._results_folder import check_writable, write_files

if TYPE_CHECKING:
    from pyicg._bench.measure import Timing
    from pyicg._bench.scaling import Rate
    from pyicg._bench.work import Stage

__all__ = ["bench"]

_SUFFIXES = (".csv", ".json")


@click.command()
@click.option(
    "--size", type=click.Choice(["256", "1080p", "4k"]), default="1080p", show_default=True, help="Pixels of the frame."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of pyicg and of OpenCV.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Calls behind each median.")
@click.option("--scaling", is_flag=True, help="Full score only: every size, 1 to all threads, a frame per thread.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the times too: .csv or .json."
)
def bench(size: str, threads: int, rounds: int, scaling: bool, output: Path | None) -> int:
    """Time pyicg on a simulated frame, beside numpy + scipy + scikit-image and OpenCV where they are installed.

    Outputs are compared before any ratio is given.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads > processors:
        raise click.UsageError(f"--threads is {threads}, but this process may use {processors} processors")
    if output is not None:
        if output.suffix not in _SUFFIXES:
            raise click.UsageError(f"-o takes a name that ends in {' or '.join(_SUFFIXES)}, found {output}")
        check_writable(output.parent)

    from pyicg._bench import measure

    click.echo(
        f"SIMULATED frame; pyicg {_core.version()} with {_core.instruction_set()} kernels on {measure.machine()}"
    )
    if scaling:
        from pyicg._bench.scaling import scaling as rates

        found = list(rates(list(measure.SIZES.values()), range(1, processors + 1), rounds=rounds))
        click.echo(_scaling_table(found))
        _write(output, [{"height": r.shape[0], "width": r.shape[1], **_plain(r)} for r in found])
        click.echo(RESEARCH_USE)
        return 0
    rows, wrong = _stages(measure.SIZES[size], threads, rounds)
    _write(output, rows)
    click.echo(RESEARCH_USE)
    return REFUSED if wrong else 0


def _stages(shape: tuple[int, int], threads: int, rounds: int) -> tuple[list[dict[str, Any]], bool]:
    """Print the table, stage by stage as it is measured; return its rows and whether an output of pyicg was wrong."""
    from tqdm import tqdm

    from pyicg._bench.measure import measure, missing_peers, peers_of, pinned, prepare
    from pyicg._bench.with_pyicg import FullScore, WithPyicg
    from pyicg._bench.work import STAGES, Contender

    lines: list[tuple[str, ...]] = [("stage", "pyicg, ms", "MB/s", "copies", "peer", "peer, ms", "ratio")]
    rows: list[dict[str, Any]] = []
    wrong = False
    with pinned(threads):
        work = prepare(shape)
        ours: list[Contender] = [WithPyicg(work.scene, threads), FullScore(work.scene)]
        peers = peers_of(work.scene, threads)
        click.echo(
            f"{shape[0]} x {shape[1]} pixels, {threads} pinned {'thread' if threads == 1 else 'threads'}, medians of "
            f"{rounds}, in turn with {'; '.join(dict.fromkeys(peer.version for peer in peers))}"
        )
        times = measure(work, [*ours, *peers], rounds=rounds)
        for stage, timings in tqdm(times, total=len(STAGES), unit="stage", leave=False, disable=None):
            own, others = timings[: len(ours)], timings[len(ours) :]
            lines += _lines(stage, own, others)
            wrong |= any(timing.status == "outputs differ" for timing in own)
            place = {"height": shape[0], "width": shape[1], "threads": threads}
            rows += [{**place, **_plain(timing), "fitted": stage.fitted is not None} for timing in timings]
    click.echo(aligned(lines))
    click.echo(
        "copies: how many memory copies of as many bytes fit into the time. ratio: peer / pyicg.\n"
        "* pyicg gives more than its peers: rims are fitted, with sub-pixel contours and uncertainties; masks differ."
    )
    for package in missing_peers():
        click.echo(f"not installed, so not measured: {package}")
    return rows, wrong


def _lines(stage: Stage, own: Sequence[Timing], others: Sequence[Timing]) -> list[tuple[str, ...]]:
    """Return the table's lines of one stage: beside the best peer, or beside each where rims are fitted."""
    from pyicg._bench.measure import best

    beside = [best(others)] if stage.fitted is None else [peer for peer in others if peer.status != "not offered"]
    lines = []
    for timing in [t for t in own if t.status != "not offered"] or own[:1]:
        name = stage.name if timing is own[0] else timing.contender.removeprefix("pyicg, ")
        cells = _own(f"{name} *" if stage.fitted is not None else name, timing)
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


def _scaling_table(rates: Sequence[Rate]) -> str:
    lines = [("full score of", "threads", "ms per frame", "frames/s", "times one thread")]
    alone = {rate.shape: rate.frames_per_s for rate in rates if rate.threads == 1}
    for rate in rates:
        gain = f"{rate.frames_per_s / alone[rate.shape]:.2f}"
        size = f"{rate.shape[0]} x {rate.shape[1]}"
        lines.append((size, str(rate.threads), f"{rate.ms_per_frame:.3g}", f"{rate.frames_per_s:.3g}", gain))
    return aligned(lines)


def _plain(item: Timing | Rate) -> dict[str, Any]:
    """Return what a file holds of a row: plain numbers and texts, and what they were measured on."""
    from pyicg._bench.measure import machine

    values = {name: value for name, value in asdict(item).items() if name != "shape"}
    values = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}
    about = {"pyicg": _core.version(), "instruction_set": _core.instruction_set(), "machine": machine()}
    return {**values, **about}


def _write(output: Path | None, rows: Sequence[dict[str, Any]]) -> None:
    if output is None:
        return
    if output.suffix == ".json":
        text = json.dumps({"simulated": True, "rows": rows}, indent=1) + "\n"
    else:
        table = io.StringIO()
        writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text = table.getvalue()
    write_files(output.absolute().parent, {output.name: text.encode()})
    click.echo(f"times    {output}")
