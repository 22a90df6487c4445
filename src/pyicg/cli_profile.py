"""``pyicg profile``: build, characterize, show and check the calibration of a camera."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyicg._camera_text import check_text, findings_text, profile_text, report_text
from pyicg._terminal import REFUSED, RESEARCH_USE
from pyicg.errors import InputError
from pyicg.io import read_stack
from pyicg.io._manifest import SeriesRow, of_kind, partner, read_manifest, read_pairs
from pyicg.io._results_folder import check_writable, write_files
from pyicg.profile import CameraProfile, build_profile

if TYPE_CHECKING:
    from pyicg.characterize import CameraReport
    from pyicg.frame import Stack

__all__ = ["profile"]

_BUILD_KINDS = ("dark", "flat", "scene_flat")
_CHARACTERIZE_KINDS = ("bright", "dark", "spatial_bright", "spatial_dark")
_RESPONSE_COLUMNS = ("concentration_nm", "signal_dn_per_ms")
_MIN_LEVELS = 3
# Not refusals: what the user did not film, and patterns below the noise, which have an upper bound.
_NOT_REFUSED = frozenset(
    {
        "no_photons",
        "no_exposures",
        "no_spatial_series",
        "too_few_exposures",
        "not_saturated",
        "non_uniformity_not_resolved",
    }
)
# Through the optics the light falls off towards the corners, and flat frames must not saturate: no faults here.
_LENS_LESS = frozenset({"uneven_light", "not_saturated"})
_THROUGH_OPTICS = (
    "the camera figures come from the flat frames, filmed through the optics and below saturation, where the standard "
    "asks for a bare sensor and levels up to saturation: PRNU holds dust and the fine structure of the light as well"
)
_BEND_CORRECTED = (
    "the camera is not linear, and the profile holds the curve that corrects it; the gain of the profile is the one "
    "behind that curve, the gain among the figures of the camera the one before it"
)

_file = click.Path(path_type=Path)
_folder = click.Path(path_type=Path, file_okay=False)
_simulated = click.option("--simulated", is_flag=True, help="The frames are simulated: every output says so.")
_depth = click.option("--bit-depth", type=int, required=True, help="Significant bits, for example 12 in 16-bit files.")
_transfer = click.option(
    "--transfer",
    type=click.Choice(["linear", "srgb", "unknown"]),
    default="linear",
    show_default=True,
    help="How counts follow light. Anything but linear is refused: a picture made for the eye gives no profile.",
)


@click.group()
def profile() -> None:
    """Build, inspect and check camera profiles; characterise a camera."""


@profile.command()
@click.argument("series", required=False, type=_file)
@click.option("--dark", type=_file, help="Stack of dark frames.")
@click.option("--flat", type=_file, help="Stack of frames of an even, bright field.")
@click.option("--scene-flat", type=_file, help="Stack of an even target lit by the system's own lamp.")
@click.option("--camera", required=True, help="Name of the camera, kept in the profile.")
@click.option(
    "--exposure-ms", type=float, required=True, help="Exposure of the dark frames, or the one the maps are for."
)
@click.option("--flat-exposure-ms", type=float, help="Exposure of the flat frames, when it is another one.")
@_depth
@_transfer
@click.option("--gain-db", type=float, help="Camera gain setting.")
@click.option("--sensor", help="Type of the sensor.")
@click.option("--optics", help="Lens, aperture, adapters.")
@click.option("--lens-distance-mm", type=float, help="Distance from the lens to the target.")
@click.option("--filter-band", help='Band of the emission filter in nm: "LO,HI".')
@click.option("--noise-maps", is_flag=True, help="Keep read noise and gain of every pixel.")
@click.option("--linearity", type=click.Choice(["polynomial", "table"]), help="Estimate it; needs five flat exposures.")
@click.option("--response", type=_file, help="CSV with concentration_nm, signal_dn_per_ms of an ICG target.")
@click.option("--report", "report_folder", type=_folder, help="Also write a camera report into this folder.")
@_simulated
@click.option("-o", "--output", "folder", type=_folder, required=True, help="Folder of the profile, NAME.icgprofile.")
def build(
    series: Path | None,
    dark: Path | None,
    flat: Path | None,
    scene_flat: Path | None,
    camera: str,
    exposure_ms: float,
    flat_exposure_ms: float | None,
    bit_depth: int,
    transfer: str,
    gain_db: float | None,
    sensor: str | None,
    optics: str | None,
    lens_distance_mm: float | None,
    filter_band: str | None,
    noise_maps: bool,
    linearity: str | None,
    response: Path | None,
    report_folder: Path | None,
    simulated: bool,
    folder: Path,
) -> None:
    """Build a profile from dark and flat frames.

    Give the frames either by --dark and --flat, or by a table SERIES.csv with the columns kind (dark, flat or
    scene_flat), file, exposure_ms and, if known, photons. In a table each exposure of a kind has one row.
    """
    if (series is None) == (dark is None):
        raise click.UsageError("give either a table SERIES.csv or --dark (and --flat)")
    if series is not None and (flat or scene_flat or flat_exposure_ms is not None):
        raise click.UsageError("with a table SERIES.csv the frames and their exposures stand in the table")
    rows = _given_rows(dark, flat, scene_flat, exposure_ms, flat_exposure_ms) if series is None else _build_rows(series)
    unlit, lit, scene = (of_kind(rows, kind) for kind in _BUILD_KINDS)
    if report_folder is not None:
        _outside(report_folder, folder)
    for target in (folder, report_folder):
        if target is not None:
            check_writable(target)
    with ExitStack() as files:
        stacks = _open(rows, bit_depth, transfer, files)
        built = build_profile(
            _by_exposure(unlit, stacks),
            _by_exposure(lit, stacks) if lit else None,
            camera=camera,
            exposure_ms=exposure_ms,
            bit_depth=bit_depth,
            gain_db=gain_db,
            linearity=linearity,
            response=None if response is None else read_pairs(response, _RESPONSE_COLUMNS),
            sensor=sensor,
            optics=optics,
            lens_distance_mm=lens_distance_mm,
            filter_band_nm=_band(filter_band),
            noise_maps=noise_maps,
            scene_flat=stacks[scene[0]] if scene else None,
            scene_flat_exposure_ms=scene[0].exposure_ms if scene else None,
        )
        if simulated:
            built = replace(built, provenance={**built.provenance, "simulated": True})
        report = None if report_folder is None else _through_the_optics(unlit, lit, stacks, bit_depth)
    notes: list[str] = []
    if report is not None:
        report, notes = _as_part_of(built, report)
    if report_folder is not None:
        from pyicg.report.camera import camera_files

        pages = camera_files(
            camera=camera,
            report=report,
            profile=built,
            provenance={"frames": _frames_text(series, rows)},
            simulated=simulated,
            notes=notes,
        )
    built.save(folder)
    text = "\n\n".join([profile_text(built), *([] if report is None else findings_text(report)), f"profile  {folder}"])
    if report_folder is not None:
        write_files(report_folder, pages)
        text += f"\nreport   {report_folder / 'camera.html'}"
    click.echo(f"{text}\n{RESEARCH_USE}")


@profile.command()
@click.argument("series", type=_file)
@click.option("--camera", default="camera", show_default=True, help="Name of the camera, for the report.")
@_depth
@_transfer
@click.option("--release", type=click.Choice(["4.0", "3.1"]), default="4.0", show_default=True)
@_simulated
@click.option("-o", "--output", "folder", type=_folder, required=True, help="Folder of the report.")
def characterize(
    series: Path, camera: str, bit_depth: int, transfer: str, release: str, simulated: bool, folder: Path
) -> int:
    """Characterise a camera, computed per EMVA 1288; write camera.json, camera.csv and camera.html.

    SERIES.csv has the columns kind (bright, dark, spatial_bright or spatial_dark), file, exposure_ms and, if known,
    photons per pixel. Each bright row is one level of light; it is paired with the dark row of its exposure.
    """
    from pyicg.characterize import characterize as measure
    from pyicg.report.camera import camera_files
    from pyicg.report.camera_figures import report_figures

    rows = read_manifest(series, _CHARACTERIZE_KINDS)
    bright, dark = of_kind(rows, "bright"), of_kind(rows, "dark")
    spatial = tuple(of_kind(rows, kind) for kind in ("spatial_bright", "spatial_dark"))
    _one_row_per_exposure(series, dark)
    if not bright or not dark:
        raise InputError(f"{series}: {len(bright)} bright and {len(dark)} dark rows; expected at least one of each")
    if {len(found) for found in spatial} not in ({0}, {1}):
        raise InputError(f"{series}: expected one row each of kind spatial_bright and spatial_dark, or none of them")
    pairs = [(row, partner(row, dark)) for row in bright]
    for row, other in pairs:
        if other is None:
            raise InputError(
                f"{series}, line {row.line}: no dark row at {row.exposure_ms:g} ms; film dark frames at every exposure"
            )
    known = [row.photons is not None for row in bright]
    if any(known) and not all(known):
        raise InputError(f"{series}: {sum(known)} of {len(known)} bright rows state photons; expected all or none")
    check_writable(folder)
    with ExitStack() as files:
        stacks = _open(rows, bit_depth, transfer, files)
        report = measure(
            [stacks[row] for row, _ in pairs],
            [stacks[other] for _, other in pairs if other is not None],
            photons=[row.photons or math.nan for row in bright] if all(known) else None,
            exposures_ms=[row.exposure_ms for row in bright],
            spatial=(stacks[spatial[0][0]], stacks[spatial[1][0]]) if spatial[0] else None,
            bit_depth=bit_depth,
            release=release,
        )
    pages = camera_files(
        camera=camera, report=report, provenance={"frames": _frames_text(series, rows)}, simulated=simulated
    )
    write_files(folder, pages)
    click.echo(report_text(report, simulated=simulated) + f"\n\nreport  {folder / 'camera.html'}\n{RESEARCH_USE}")
    reasons = {row.item.reason for row in report_figures(report) if math.isnan(row.item.value)}
    return REFUSED if reasons - _NOT_REFUSED else 0


@profile.command()
@click.argument("folder", type=_file)
@click.option("--picture", type=_file, help="Also draw the maps into this PNG file.")
def show(folder: Path, picture: Path | None) -> None:
    """Print what a profile holds, and draw its maps."""
    if picture is not None:
        _outside(picture, folder)
        check_writable(picture.parent)
    found = CameraProfile.load(folder)
    text = profile_text(found)
    if picture is not None:
        from pyicg.report.maps import maps_picture

        write_files(picture.parent, {picture.name: maps_picture(found)})
        text += f"\n\npicture  {picture}"
    click.echo(text)


@profile.command()
@click.argument("folder", type=_file)
@click.option("--dark", type=_file, required=True, help="Fresh dark frames.")
@click.option("--flat", type=_file, help="Fresh frames of an even, bright field.")
@click.option("--exposure-ms", type=float, required=True, help="Exposure of the fresh dark frames.")
@click.option("--flat-exposure-ms", type=float, help="Exposure of the fresh flat frames, when it is another one.")
@click.option("-o", "--output", "file", type=_file, help="Also write the outcome into this JSON file.")
def check(
    folder: Path,
    dark: Path,
    flat: Path | None,
    exposure_ms: float,
    flat_exposure_ms: float | None,
    file: Path | None,
) -> int:
    """Check a profile against fresh frames and say what drifted. Exit code 4 when something did."""
    from pyicg.profile_check import check_profile

    if file is not None:
        _outside(file, folder)
        check_writable(file.parent)
    found = CameraProfile.load(folder)
    with ExitStack() as files:
        unlit = files.enter_context(read_stack(dark, bit_depth=found.bit_depth))
        lit = None if flat is None else files.enter_context(read_stack(flat, bit_depth=found.bit_depth))
        outcome = check_profile(found, unlit, lit, exposure_ms=exposure_ms, flat_exposure_ms=flat_exposure_ms)
    if file is not None:
        content = {"profile": found.digest, **outcome.to_dict()}
        write_files(file.parent, {file.name: (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()})
    click.echo(check_text(outcome))
    return 0 if outcome.ok else REFUSED


def _outside(target: Path, folder: Path) -> None:
    """Refuse to write into the folder of a profile."""
    if target.resolve().is_relative_to(folder.resolve()):
        raise click.UsageError(f"{target} lies in the profile {folder}, which holds nothing else; write it elsewhere")


def _given_rows(
    dark: Path | None, flat: Path | None, scene_flat: Path | None, exposure_ms: float, flat_exposure_ms: float | None
) -> tuple[SeriesRow, ...]:
    """Return the frames named by options as rows of a table."""
    given = (("dark", dark, None), ("flat", flat, flat_exposure_ms), ("scene_flat", scene_flat, None))
    return tuple(
        SeriesRow(kind, path, exposure_ms if own is None else own, None, 0)
        for kind, path, own in given
        if path is not None
    )


def _build_rows(series: Path) -> tuple[SeriesRow, ...]:
    rows = read_manifest(series, _BUILD_KINDS)
    for kind in _BUILD_KINDS:
        _one_row_per_exposure(series, of_kind(rows, kind))
    if not of_kind(rows, "dark"):
        raise InputError(f"{series}: no row of kind dark; a profile needs dark frames")
    if len(of_kind(rows, "scene_flat")) > 1:
        raise InputError(f"{series}: several rows of kind scene_flat; expected one")
    return rows


def _one_row_per_exposure(series: Path, rows: Sequence[SeriesRow]) -> None:
    for index, row in enumerate(rows):
        earlier = partner(row, rows[:index])
        if earlier is not None:
            raise InputError(
                f"{series}, lines {earlier.line} and {row.line}: two rows of kind {row.kind} at "
                f"{row.exposure_ms:g} ms; put all frames of one exposure into one file, one folder or one pattern"
            )


def _open(rows: Sequence[SeriesRow], bit_depth: int, transfer: str, files: ExitStack) -> dict[SeriesRow, Stack]:
    """Open all stacks before the first is read. A stack keeps its file's own exposure, to be held against the table."""
    told = None if transfer == "unknown" else transfer
    return {row: files.enter_context(read_stack(row.file, bit_depth=bit_depth, transfer=told)) for row in rows}


def _by_exposure(rows: Sequence[SeriesRow], stacks: Mapping[SeriesRow, Stack]) -> dict[float, Stack]:
    return {row.exposure_ms: stacks[row] for row in rows}


def _through_the_optics(
    dark: Sequence[SeriesRow], flat: Sequence[SeriesRow], stacks: Mapping[SeriesRow, Stack], bit_depth: int
) -> CameraReport | None:
    """Characterise from the flat frames of a profile; None with fewer than three levels that have dark frames.

    The level nearest to half of the brightest one gives PRNU and DSNU.
    """
    from pyicg.characterize import characterize as measure

    pairs = [(row, other) for row in flat if (other := partner(row, dark)) is not None]
    if len(pairs) < _MIN_LEVELS:
        return None
    brightest = max(row.exposure_ms for row, _ in pairs)
    half = min(pairs, key=lambda pair: abs(pair[0].exposure_ms - brightest / 2))
    photons = [row.photons for row, _ in pairs]
    return measure(
        [stacks[row] for row, _ in pairs],
        [stacks[other] for _, other in pairs],
        photons=None if None in photons else [photon or math.nan for photon in photons],
        exposures_ms=[row.exposure_ms for row, _ in pairs],
        spatial=(stacks[half[0]], stacks[half[1]]),
        bit_depth=bit_depth,
    )


def _as_part_of(built: CameraProfile, report: CameraReport) -> tuple[CameraReport, list[str]]:
    """Leave out the findings that are settled beside the profile; return what to say in their place as well."""
    notes = [_THROUGH_OPTICS]
    settled = set(_LENS_LESS)
    corrects = built.linearity_table is not None or built.linearity != (1.0, 0.0, 0.0)
    bent = any(item.code == "not_linear" for item in report.findings)
    if bent and corrects and all(item["code"] != "not_linear" for item in built.provenance.get("findings", ())):
        settled.add("not_linear")
        notes.append(_BEND_CORRECTED)
    return replace(report, findings=tuple(item for item in report.findings if item.code not in settled)), notes


def _band(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.UsageError(f'--filter-band takes "LO,HI" in nm, found "{text}"') from error
    return low, high


def _frames_text(series: Path | None, rows: Sequence[SeriesRow]) -> str:
    files = ", ".join(f"{row.kind} {row.file.name} ({row.exposure_ms:g} ms)" for row in rows)
    return files if series is None else f"{series.name}: {files}"
