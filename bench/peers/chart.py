"""Draw docs/_static/speed.png from the tables that `pyicg bench -o` writes, and print them as docs/speed.md has them.

pyicg bench --size 1080p -o 1080p.csv && pyicg bench --size 4k --threads 2 -o 4k.csv
python bench/peers/chart.py 1080p.csv 4k.csv -o docs/_static/speed.png
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

Row = dict[str, str]

OURS, FULL, PEER = "#1b7f4d", "#7cc49a", "#9a9a9a"
NAMES = {
    "pyicg": "pyicg, every output",
    "pyicg, full score": "pyicg, full score",
    "OpenCV, tuned": "OpenCV, tuned by an expert",
}


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def size(rows: list[Row]) -> str:
    """Name a table by its frame and threads."""
    threads = int(rows[0]["threads"])
    return f"{rows[0]['width']} x {rows[0]['height']} pixels, {threads} {'thread' if threads == 1 else 'threads'}"


def draw_frames(axes: Axes, rows: list[Row]) -> None:
    """One bar for each way to do the whole frame, shortest first."""
    found = [row for row in rows if row["stage"] == "whole frame" and row["status"] == "measured"]
    found.sort(key=lambda row: float(row["ms"]))
    times = [float(row["ms"]) for row in found]
    colours = [{"pyicg": OURS, "pyicg, full score": FULL}.get(row["contender"], PEER) for row in found]
    bars = axes.barh([NAMES.get(row["contender"], row["contender"]) for row in found], times, color=colours)
    axes.bar_label(bars, [f"{ms:,.0f} ms" if ms >= 100 else f"{ms:.1f} ms" for ms in times], padding=4, fontsize=9)
    axes.set_title(f"Whole frame: {size(rows)}", loc="left", fontsize=10)
    axes.set_xlim(0, 1.2 * max(times))
    axes.set_xlabel("ms per frame: shorter is faster")


def draw_stages(axes: Axes, rows: list[Row]) -> None:
    """How many times faster pyicg is than the fastest peer with equal output, where it offers the stage."""
    names, ratios, peers = [], [], []
    equal = [row for row in rows if row["fitted"] == "False" and row["status"] == "measured"]
    for stage in dict.fromkeys(row["stage"] for row in rows):
        measured = {row["contender"]: float(row["ms"]) for row in equal if row["stage"] == stage}
        ours = measured.pop("pyicg", None)
        if ours is None or not measured:
            continue
        peer = min(measured, key=lambda name: measured[name])
        names.append(stage)
        ratios.append(measured[peer] / ours)
        peers.append(peer)
    bars = axes.barh(names, ratios, color=OURS)
    axes.bar_label(bars, [f"{r:.2g}x {p}" for r, p in zip(ratios, peers, strict=True)], padding=4, fontsize=9)
    axes.axvline(1, color="black", linewidth=1, zorder=0)
    axes.set_title("Equal outputs: times as fast as the best peer", loc="left", fontsize=10)
    axes.set_xlim(0, 1.6 * max(ratios, default=1))
    axes.set_xlabel("longer is faster; the line: just as fast")


def milliseconds(row: Row | None) -> str:
    if row is None or row["status"] == "not offered":
        return "–"
    ms = f"{float(row['ms']):.3g}" if float(row["ms"]) < 100 else f"{float(row['ms']):.0f}"
    return ms if row["status"] == "measured" else f"({ms})"


def markdown(rows: list[Row]) -> str:
    """Return one line for each stage, one column for each way; outputs that differ are in brackets."""
    ways = list(dict.fromkeys(row["contender"] for row in rows))
    lines = [f"| {size(rows)}, ms | {' | '.join(ways)} |", f"|---|{'---:|' * len(ways)}"]
    for stage in dict.fromkeys(row["stage"] for row in rows):
        found = {row["contender"]: row for row in rows if row["stage"] == stage}
        lines.append(f"| {stage} | {' | '.join(milliseconds(found.get(way)) for way in ways)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    tables = [read(path) for path in arguments.tables]
    figure, axes = plt.subplots(len(tables), 2, figsize=(12, 2.6 * len(tables) + 0.6), squeeze=False)
    for row, (left, right) in zip(tables, axes, strict=True):
        draw_frames(left, row)
        draw_stages(right, row)
        for part in (left, right):
            part.invert_yaxis()
            part.spines[["top", "right"]].set_visible(False)
            part.tick_params(axis="y", length=0)
    about = tables[0][0]
    rounds = min(int(row["rounds"]) for rows in tables for row in rows if row["rounds"] != "0")
    figure.text(
        0.01,
        0.01,
        f"Simulated 12-bit frame with four rims; pyicg {about['pyicg']} with {about['instruction_set']} kernels on "
        f"{about['machine']}; medians of {rounds} calls in turn. The full score fits rims: other masks.",
        fontsize=8,
    )
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(arguments.output, dpi=110)
    for table in tables:
        print(markdown(table))


if __name__ == "__main__":
    main()
