"""The command line. Exit codes: 0 done, 2 usage, 3 bad input, 4 done with refused results, 130 interrupted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from pyicg import _core, _linking
from pyicg._terminal import BAD_INPUT, INTERRUPTED, REFUSED, RESEARCH_USE, aligned
from pyicg.cli_bench import bench
from pyicg.cli_evaluate import evaluate
from pyicg.cli_profile import profile
from pyicg.errors import PyicgError, UnitError
from pyicg.frame import Stack
from pyicg.io import read_stack
from pyicg.io._results_folder import check_writable
from pyicg.plane import Plane, fit_plane
from pyicg.plane_sources import plane_from_roi
from pyicg.profile import CameraProfile
from pyicg.report.status import beside, margin_text
from pyicg.score import StackScore, score_stack

__all__ = ["main"]

# A result that was asked for and could not be given. No pixel size, profile or prevalence is the user's choice.
_REFUSALS = frozenset(
    {
        "out_of_range",
        "background_not_resolved",
        "background_saturated",
        "saturated_lower_bound",
        "too_few_pixels",
        "not_finite",
    }
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the contract's code."""
    try:
        code = commands.main(args=arguments, prog_name="pyicg", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing half written was left behind", err=True)
        code = INTERRUPTED
    except PyicgError as error:
        click.echo(f"pyicg: {error}", err=True)
        code = BAD_INPUT
    except OSError as error:
        click.echo(f"pyicg: {error.filename or ''}: {error.strerror or error}", err=True)
        code = BAD_INPUT
    sys.exit(code or 0)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=RESEARCH_USE,
    invoke_without_command=True,
    no_args_is_help=True,
)
@click.version_option(_core.version(), prog_name="pyicg")
@click.option("--cmake-dir", is_flag=True, help="Print the folder of pyicg's CMake package.")
@click.option("--includes", is_flag=True, help="Print the compiler's flag for pyicg's headers.")
@click.option("--pkgconfig-dir", is_flag=True, help="Print the folder of pyicg.pc.")
@click.pass_context
def commands(context: click.Context, cmake_dir: bool, includes: bool, pkgconfig_dir: bool) -> None:
    """Calibrated numbers from indocyanine-green fluorescence: SBR, rim, millimetres, R0/R1."""
    if cmake_dir:
        click.echo(_linking.cmake_dir())
    if includes:
        click.echo("-I" + shlex.quote(str(_linking.include_dir())))
    if pkgconfig_dir:
        click.echo(_linking.pkgconfig_dir())
    if cmake_dir or includes or pkgconfig_dir:
        context.exit()


_folder = click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), required=True)


@commands.command()
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("pyicg-demo"),
    show_default=True,
)
def demo(folder: Path) -> int:
    """Score simulated scenes with known truth; print measured beside true; write the reports."""
    from pyicg.demo import run_demo

    check_writable(folder)
    rows = run_demo(folder, progress=True)
    click.echo("SIMULATED data: measured beside true\n")
    table = [("quantity", "measured", "true", "")]
    for row in rows:
        unit = f" {row['unit']}" if row["unit"] else ""
        table.append((row["quantity"], _text(row["measured"]) + unit, _text(row["true"]) + unit, _verdict(row["ok"])))
    click.echo(aligned(table))
    click.echo(f"\nSpecimen: {folder / 'report.html'}\nTumour bed: {folder / 'bed' / 'report.html'}\n{RESEARCH_USE}")
    return 0 if all(row["ok"] for row in rows) else REFUSED


def _verdict(ok: bool) -> str:
    return "recovered" if ok else "MISSED"


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


@commands.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--profile", "profile_folder", type=click.Path(path_type=Path), help="Camera profile folder.")
@click.option("--view", type=click.Choice(["bed", "section"]), required=True)
@click.option(
    "--plane",
    "plane_file",
    type=click.Path(path_type=Path),
    help='JSON: {"point_mm": [z, y, x], "normal": [z, y, x]}, or a plane that pyicg wrote.',
)
@click.option("--plane-points", help='At least three points in mm: "z,y,x; z,y,x; z,y,x". Needs --tumour-side.')
@click.option(
    "--plane-roi", type=click.Path(path_type=Path), help="ImageJ lines along the plane: .roi, or .zip of them."
)
@click.option("--perpendicular", is_flag=True, help="The plane of --plane-roi stands at right angles to the slices.")
@click.option("--tumour-side", help='A point in mm on the tumour side of the plane: "z,y,x".')
@click.option("--axes", help="Axes of the file where it does not say: TYX, ZYX, CZYX ...")
@click.option("--channel", type=int, help="Channel of a multi-channel image, from 0.")
@click.option("--bit-depth", type=int, help="Significant bits, for example 12 in a 16-bit file.")
@click.option("--exposure-ms", type=float)
@click.option("--pixel-size", "pixel_size_mm", type=float, help="Pixel size in mm.")
@click.option("--slice-spacing", "slice_spacing_mm", type=float, help="Distance between slices in mm.")
@click.option("--transfer", type=click.Choice(["linear", "srgb", "unknown"]), default="linear", show_default=True)
@click.option("--prevalence", help="Share of R1: a number in (0, 1), mimic-overall or mimic-accuracy.")
@click.option(
    "--risk-threshold",
    type=float,
    default=0.2,
    show_default=True,
    help="Risk of R1 at which you would cut again (bed view).",
)
@click.option(
    "--tie",
    type=click.Choice(["R0", "R1"]),
    default="R0",
    show_default=True,
    help="What a margin of exactly 1 mm counts as (section view).",
)
@click.option("--dose-mg", type=float, help="ICG given, mg; other than the trial's 10 mg: no label (bed view).")
@click.option("--hours-before", type=float, help="Hours from ICG to surgery; outside 18 to 30: no label (bed view).")
@click.option("--no-lesions", is_flag=True, help="Look for no rims, which is faster (bed view).")
@click.option("--threads", type=click.IntRange(min=1))
@_folder
def score(
    inputs: tuple[Path, ...],
    profile_folder: Path | None,
    view: str,
    plane_file: Path | None,
    plane_points: str | None,
    plane_roi: Path | None,
    perpendicular: bool,
    tumour_side: str | None,
    axes: str | None,
    channel: int | None,
    bit_depth: int | None,
    exposure_ms: float | None,
    pixel_size_mm: float | None,
    slice_spacing_mm: float | None,
    transfer: str,
    prevalence: str | None,
    risk_threshold: float,
    tie: str,
    dose_mg: float | None,
    hours_before: float | None,
    no_lesions: bool,
    threads: int | None,
    folder: Path,
) -> int:
    """Score image stacks and write frames.csv, lesions.csv, summary.json, overlay.png and report.html.

    Several inputs get a subfolder each. Without --profile the numbers are uncalibrated, and say so.
    """
    if sum(way is not None for way in (plane_file, plane_points, plane_roi)) > 1:
        raise click.UsageError("--plane, --plane-points and --plane-roi are ways to say one thing: give one of them")
    if perpendicular and plane_roi is None:
        raise click.UsageError("--perpendicular belongs to --plane-roi")
    if no_lesions and view == "section":
        raise click.UsageError("--no-lesions belongs to --view bed: a section is measured by its lesions")
    plane = _plane(plane_file, plane_points, tumour_side if plane_roi is None else None)
    chosen = None if profile_folder is None else CameraProfile.load(profile_folder)
    names = _folder_names(inputs)
    check_writable(folder)
    # All are opened before the first is scored: a typing error in the last name costs no work.
    stacks = [
        read_stack(
            path,
            axes=axes,
            channel=channel,
            pixel_size_mm=pixel_size_mm,
            slice_spacing_mm=slice_spacing_mm,
            exposure_ms=exposure_ms,
            bit_depth=bit_depth if bit_depth is not None or chosen is None else chosen.bit_depth,
            transfer=None if transfer == "unknown" else transfer,
        )
        for path in inputs
    ]
    planes = [
        plane if plane_roi is None else _drawn_plane(plane_roi, stack, tumour_side, perpendicular) for stack in stacks
    ]
    code = 0
    for path, name, stack, of_stack in zip(inputs, names, stacks, planes, strict=True):
        used = chosen or CameraProfile.identity(stack.frame_shape, bit_depth=stack.bit_depth)
        result = score_stack(
            stack,
            profile=used,
            view=view,
            plane=of_stack,
            prevalence=_prevalence(prevalence),
            risk_threshold=risk_threshold,
            tie=tie,
            dose_mg=dose_mg,
            hours_before=hours_before,
            lesions=not no_lesions,
            threads=threads,
            progress=True,
        )
        target = result.write(folder if len(inputs) == 1 else folder / name)
        click.echo(_answer(path, result, target))
        code = max(code, REFUSED if _refused(result) else 0)
    click.echo(RESEARCH_USE)
    return code


def _folder_names(inputs: Sequence[Path]) -> list[str]:
    """Name a subfolder per input: its stem, with its folder in front where stems are the same."""
    stems = [path.stem for path in inputs]
    if len(set(stems)) != len(stems):
        stems = [f"{path.absolute().parent.name}_{path.stem}" for path in inputs]
    if len(set(stems)) != len(stems):
        raise click.UsageError("two inputs would share a folder for their results; score them one by one")
    return stems


def _prevalence(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _plane(file: Path | None, points: str | None, tumour_side: str | None) -> Plane | None:
    if points is not None:
        if tumour_side is None:
            raise click.UsageError("--plane-points needs --tumour-side, a point in mm on the side of the tumour")
        fitted = fit_plane([_point(text, "--plane-points") for text in points.split(";") if text.strip()])
        return fitted.facing(_point(tumour_side, "--tumour-side"))
    if tumour_side is not None:
        raise click.UsageError("--tumour-side belongs to --plane-points or --plane-roi")
    return None if file is None else Plane.load(file)


def _drawn_plane(roi: Path, stack: Stack, tumour_side: str | None, perpendicular: bool) -> Plane:
    spacing = [step for step in stack.spacing_mm if step is not None]
    if len(spacing) < 3:
        raise UnitError(
            f"{roi} is in pixels, and its spacing is {stack.spacing_mm} mm; pass --slice-spacing and --pixel-size"
        )
    plane = plane_from_roi(roi, spacing_mm=spacing, perpendicular=perpendicular)
    return plane if tumour_side is None else plane.facing(_point(tumour_side, "--tumour-side"))


def _point(text: str, option: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.UsageError(f'{option} takes points as "z,y,x" in mm, found "{text}"') from error
    return z, y, x


def _refused(result: StackScore) -> bool:
    no_distance = result.plane is not None and (
        result.distance is None or result.distance.min_mm != result.distance.min_mm
    )
    return no_distance or any(_REFUSALS.intersection(frame.reasons) for frame in result.frames)


def _answer(path: Path, result: StackScore, folder: Path) -> str:
    summary = result.summary
    rows = [("file", str(path)), ("frames", str(len(result.frames)))]
    best = result.frames[result.key_index].contrast.sbr
    rows.append((f"SBR, frame {result.key_index}", str(best)))
    if result.view == "bed":
        rows.append(
            ("fluorescent", f"{summary['n_fluorescent']} of {summary['n_frames']} frames at SBR {summary['sbr_cut']:g}")
        )
    rows.append(("lesions", "not looked for" if result.summary["n_lesions"] is None else str(len(result.lesions))))
    if result.distance is not None:
        d = result.distance
        rows.append(
            ("distance", f"{d.min_mm:.2f} mm [{d.ci_mm[0]:.2f}, {d.ci_mm[1]:.2f}] {' '.join(d.warnings)}".rstrip())
        )
    if result.margin is not None:
        rows.append(("margin", f"{margin_text(result.margin)} {' '.join(result.margin.reasons)}".rstrip()))
        if at_cuts := beside(result.margin):
            rows.append(("by SBR cut", at_cuts))
    if summary["reasons"]:
        rows.append(("limits", " ".join(summary["reasons"])))
    if not summary["calibrated"]:
        rows.append(("calibration", "UNCALIBRATED: no camera profile, or data that are not linear"))
    rows.append(("report", str(folder / "report.html")))
    return aligned(rows) + "\n"


commands.add_command(profile)
commands.add_command(evaluate)
commands.add_command(bench)


@commands.command()
def info() -> None:
    """Print versions of pyicg and of the libraries it uses."""
    import platform
    from importlib import metadata

    from pyicg import _capi

    rows = [
        ("pyicg", _core.version()),
        ("C interface", f"ABI {_capi.abi_version()}"),
        ("machine", f"{platform.machine()}, {_core.instruction_set()} instruction set"),
        ("Python", platform.python_version()),
    ]
    for name in ("numpy", "scipy", "tifffile", "pillow", "matplotlib", "jinja2", "click", "imagecodecs"):
        try:
            rows.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            rows.append((name, "not installed"))
    click.echo(aligned(rows) + f"\n{RESEARCH_USE}")
