"""One image, every background policy and every contrast definition: how far they disagree, and from what.

Run ``python bench/validation/policies.py``; the Markdown that it prints is what docs/which_background.md shows, and it
draws docs/_static/which_background.png. The first image is simulated, with exact truth and a fixed seed; the second is
the rendering of a real phantom, in the folder that PYICG_DATA names or in ``../shared/data`` beside the repository.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

import pyicg

Frame = npt.NDArray[Any]
Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "_static" / "which_background.png"
SHAPE = (240, 320)
SEED = 4
TRUE_SBR = 2.0
SPOT_SBR = 3.0  # something else that glows, such as bile
LIVER_E_PER_MS = 120.0  # where the light is 1
LESION, LESION_RADIUS = (160.0, 215.0), 18.0
SPOT, SPOT_RADIUS = (84.0, 96.0), 20.0
DRAPE_FROM = 278  # column
DRAPE_LEVEL = 0.02
BLUR_PX = 1.2
DEFINITIONS = ("sbr", "sbr_raw", "weber", "michelson", "cnr", "cvr")


@dataclass(frozen=True)
class Scene:
    """A simulated frame: its calibration, the lesion's plateau, and what is known to be no background."""

    raw: Frame
    cal: pyicg.CalibratedFrame
    signal: Mask
    other: Mask


def main() -> None:
    """Print every table and draw the figure."""
    scene = simulate()
    table = pyicg.sensitivity_table(scene.cal, signal=scene.signal, exclude=scene.other)
    definitions(scene, table)
    what_does_it()
    draw(scene, table)
    told = os.environ.get("PYICG_DATA")
    data = Path(told) if told else ROOT.parent / "shared" / "data"
    if data.is_dir():
        lung_phantom(data / "quel")
    else:
        print(f"no real images at {data}: set PYICG_DATA to the folder that holds them")


def simulate(*, uneven: bool = True, texture: bool = True, drape: bool = True, spot: bool = True) -> Scene:
    """Return the simulated image, with or without each of its difficulties."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    light = 0.35 + 0.65 * np.exp(-((y - 70) ** 2 + (x - 90) ** 2) / (2 * 90.0**2)) if uneven else np.full(SHAPE, 0.6)
    liver = np.ones(SHAPE)
    if texture:
        rng = np.random.default_rng(SEED)
        grain = gaussian_filter(rng.standard_normal(SHAPE), 5.0, mode="wrap")
        liver += 0.06 * grain / grain.std()
        for start, slope, width in ((30.0, 0.15, 3.0), (228.0, -0.05, 2.5), (122.0, 0.0, 2.5)):
            line = start + slope * x + 9 * np.sin(x / 28 + start)
            liver *= 1 - 0.45 * np.exp(-(((y - line) / width) ** 2) / 2)
    lesion = np.hypot(y - LESION[0], x - LESION[1])
    glow = light * liver * (1 + (TRUE_SBR - 1) * (lesion <= LESION_RADIUS))
    around_spot = np.hypot(y - SPOT[0], x - SPOT[1])
    if spot:
        glow = glow * (1 + (SPOT_SBR - 1) * (around_spot <= SPOT_RADIUS))
    on_drape = (x >= DRAPE_FROM) if drape else np.zeros(SHAPE, dtype=bool)
    glow = gaussian_filter(np.where(on_drape, DRAPE_LEVEL, glow), BLUR_PX, mode="nearest")
    camera = pyicg.phantom.SimulatedCamera(seed=SEED)
    raw = camera.expose(LIVER_E_PER_MS * glow, 1)[0]
    cal = pyicg.calibrate(raw, camera.measure_profile(SHAPE))
    edge = 2 * BLUR_PX
    return Scene(raw, cal, lesion <= LESION_RADIUS - edge, spot & (around_spot <= SPOT_RADIUS + 2 * edge))


def definitions(scene: Scene, table: pyicg.SensitivityTable) -> None:
    """Print every policy beside every definition, and what changes with the lesion or the offset left in."""
    rows = [(row.policy, *_cells(row.background, row.contrast)) for row in table.rows]
    mode_left_in = pyicg.estimate_background(scene.cal)
    found = pyicg.contrast(scene.cal, signal=scene.signal, background=mode_left_in)
    rows.append(("mode, nothing excluded", *_cells(mode_left_in, found)))
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    core = np.hypot(y - LESION[0], x - LESION[1]) <= LESION_RADIUS / 2
    ring = pyicg.estimate_background(scene.cal, policy="annulus", signal=core)
    found = pyicg.contrast(scene.cal, signal=scene.signal, background=ring)
    rows.append(("annulus around the inner half of the lesion", *_cells(ring, found)))
    by_hand = drawn_by_hand()
    background = pyicg.estimate_background(scene.cal, policy="mask", mask=by_hand)
    found = pyicg.contrast(scene.cal, signal=scene.signal, background=background)
    rows.append(("mask, drawn where the light is best", *_cells(background, found)))
    counts = pyicg.calibrate(scene.raw, pyicg.CameraProfile.identity(SHAPE, bit_depth=12))
    background = pyicg.estimate_background(counts, exclude=scene.signal | scene.other)
    found = pyicg.contrast(counts, signal=scene.signal, background=background)
    rows.append(("mode, raw counts without a profile", *_cells(background, found)))
    header = ("policy", f"B, {scene.cal.unit}", "pixels", *DEFINITIONS)
    _table(f"simulated, true SBR {TRUE_SBR:g}: policies and definitions", header, rows)
    signal = table["mode"].contrast.signal_level
    print(f"T = {signal} {scene.cal.unit} in every row with a profile.")
    print(f"Spread of the SBR over the policies: {table.spread:.2f}")
    for policy in ("mode", "surface"):
        con = table[policy].contrast
        print(f"budget, {policy}: T {_budget(con.signal_budget, con.signal_level.value)}; "
              f"B {_budget(con.background_budget, con.background_level.value)}")  # fmt: skip
    exact = (TRUE_SBR, TRUE_SBR - 1, (TRUE_SBR - 1) / (TRUE_SBR + 1))
    print("True SBR, Weber and Michelson: {:g}, {:g}, {:.3f}\n".format(*exact))


def drawn_by_hand() -> Mask:
    """Return the square that somebody might draw where the liver looks best."""
    drawn = np.zeros(SHAPE, dtype=bool)
    drawn[64:100, 134:170] = True
    return drawn


def what_does_it() -> None:
    """Print the SBR under every policy while the image gets harder, one thing after the other."""
    steps: tuple[tuple[str, dict[str, bool]], ...] = (
        ("even light, smooth liver", {"uneven": False, "texture": False, "drape": False, "spot": False}),
        ("and texture with vessels", {"uneven": False, "drape": False, "spot": False}),
        ("and a drape", {"uneven": False, "spot": False}),
        ("and a second bright spot, excluded", {"uneven": False}),
        ("and uneven light", {}),
    )
    rows: list[Sequence[object]] = []
    policies: list[str] = []
    for name, options in steps:
        scene = simulate(**options)
        table = pyicg.sensitivity_table(scene.cal, signal=scene.signal, exclude=scene.other)
        policies = [row.policy for row in table.rows]
        rows.append((name, *(_sbr(row.contrast.sbr) for row in table.rows), f"{table.spread:.2f}"))
        if name == steps[-1][0]:
            table = pyicg.sensitivity_table(scene.cal, signal=scene.signal)
            cells = (_sbr(row.contrast.sbr) for row in table.rows)
            rows.append(("the same, the spot not excluded", *cells, f"{table.spread:.2f}"))
    header = ("simulated image", *policies, "spread")
    _table(f"simulated, true SBR {TRUE_SBR:g}: SBR (95 % interval) as the image gets harder", header, rows)


def draw(scene: Scene, table: pyicg.SensitivityTable) -> None:
    """Draw the image with its regions beside the SBR under every policy."""
    figure = Figure(figsize=(10.0, 4.0), dpi=120, layout="constrained")
    image, chart = figure.subplots(1, 2, width_ratios=[1.25, 1.0])
    shown = image.imshow(scene.cal.data, cmap="cividis", vmin=0, vmax=45)
    figure.colorbar(shown, ax=image, shrink=0.85, pad=0.01, label=f"calibrated signal, {scene.cal.unit}")
    radius = math.sqrt(scene.signal.sum() / math.pi)
    guard, width = max(radius / 4, 3.0), max(radius / 2, 5.0)
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    away = np.hypot(y - LESION[0], x - LESION[1])
    lines = (
        (scene.signal.astype(float), "white", "solid", "signal"),
        ((away <= radius + guard).astype(float), "#4fd2ff", "dashed", None),
        ((away <= radius + guard + width).astype(float), "#4fd2ff", "dashed", "ring of annulus"),
        (scene.other.astype(float), "#ff8c1a", "solid", "excluded"),
        (drawn_by_hand().astype(float), "#ff2f6d", "dotted", "drawn by hand"),
    )
    for mask, colour, style, name in lines:
        image.contour(mask, levels=[0.5], colors=[colour], linestyles=[style], linewidths=1.6)
        if name is not None:
            image.plot([], [], color=colour, linestyle=style, label=name)
    image.legend(loc="lower left", fontsize=7.5, facecolor="#8a909a", framealpha=0.9)
    image.set(xticks=[], yticks=[], title=f"SIMULATED, true SBR {TRUE_SBR:g}")
    for place, row in enumerate(table.rows):
        lo, hi = row.contrast.sbr.ci
        chart.plot([lo, hi], [place, place], color="#6b7480", linewidth=2.4)
        chart.plot(row.contrast.sbr.value, place, "o", color="#00579c", markersize=7)
    chart.axvline(TRUE_SBR, color="#2e7d32", linestyle="dashed", label="truth")
    chart.set_yticks(range(len(table.rows)), [row.policy for row in table.rows])
    chart.invert_yaxis()
    chart.set(xlabel="SBR, 95 % interval")
    chart.legend(loc="best", fontsize=8)
    chart.grid(axis="x", color="#e4e4e4")
    chart.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, metadata={"Software": None})
    print(f"wrote {PICTURE.relative_to(ROOT)}\n")


def lung_phantom(folder: Path) -> None:
    """Print how far the SBR of the lung phantom's inclusions moves with the policy."""
    frame = pyicg.read_stack(folder / "lung_phantom_reference_u8.tif", transfer=None)[0]
    labels = pyicg.read_stack(folder / "lung_phantom_reference_labels_u8.tif")[0]
    cal = pyicg.calibrate(frame, pyicg.CameraProfile.identity(frame.shape, bit_depth=8))
    with (folder / "lung_phantom_reference_inclusions.csv").open(newline="") as file:
        inclusions = list(csv.DictReader(file))
    drawn = labels == 1  # what the publisher took as background
    bench = cal.data < 40  # the dark table around the phantom; its body begins at about 60 counts
    print(f"{np.mean(bench):.0%} of the picture is the table\n")
    policies: list[str] = []
    rows: list[Sequence[object]] = []
    for name, left_out in (("whole picture", np.zeros_like(drawn)), ("table excluded", bench)):
        for inclusion in inclusions:
            signal = labels == int(inclusion["label"])
            exclude = ((labels > 1) | left_out) & ~signal
            table = pyicg.sensitivity_table(cal, signal=signal, mask=drawn, exclude=exclude)
            policies = [row.policy for row in table.rows]
            if inclusion is inclusions[0]:
                cells = [(row.policy, *_cells(row.background, row.contrast)) for row in table.rows]
                head = ("policy", "B, DN", "pixels", *DEFINITIONS)
                _table(f"real lung phantom, first inclusion, {name}", head, cells)
                print(f"Published TBR {float(inclusion['pub_TBR']):.3f}; spread {table.spread:.2f}\n")
            size = f"{inclusion['inclusion_diam_mm']} mm, {inclusion['depth_mm']} mm deep"
            found = (_sbr(row.contrast.sbr) for row in table.rows)
            rows.append((name, size, f"{float(inclusion['pub_TBR']):.2f}", *found, f"{table.spread:.2f}"))
    header = ("", "inclusion", "published TBR", *policies, "spread")
    _table("real lung phantom: SBR (95 % interval) of every inclusion", header, rows)


def _cells(background: pyicg.Background, found: pyicg.Contrast) -> Iterator[str]:
    yield f"{background.level:.2f}"
    yield str(background.n_pixels)
    yield _sbr(found.sbr)
    for name in DEFINITIONS[1:]:
        value = getattr(found, name).value
        yield "undefined" if math.isnan(value) else f"{value:.2f}"


def _sbr(sbr: pyicg.Measurement) -> str:
    if math.isnan(sbr.value):
        return f"undefined ({sbr.reason})"
    return f"{sbr.value:.2f} ({sbr.ci[0]:.2f} to {sbr.ci[1]:.2f})"


def _budget(budget: pyicg.results.UncertaintyBudget | None, level: float) -> str:
    if budget is None:
        return "unknown"
    noise = 0.0 if budget.pixel_noise is None else budget.pixel_noise
    parts = {"pixel noise": noise, "sampling": budget.sampling, "heterogeneity": budget.heterogeneity}
    return ", ".join(f"{name} {100 * part / level:.2f} %" for name, part in parts.items())


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


if __name__ == "__main__":
    main()
