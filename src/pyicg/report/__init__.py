"""The report: pictures and one self-contained HTML page for a scored stack.

Importing this package loads neither matplotlib nor jinja2; `build` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyicg.errors import InputError

if TYPE_CHECKING:
    from pyicg.report.source import Scored

__all__ = ["build"]


def build(score: Scored) -> tuple[bytes, str]:
    """Return the overlay of the key frame (PNG) and the report (HTML) of a scored stack.

    Parameters
    ----------
    score : Scored
        What `pyicg.score_stack` returns, or any object with the same attributes.

    Returns
    -------
    overlay_png : bytes
        The key frame with its boundaries.
    report_html : str
        One self-contained page: pictures and styles are inside it.

    Raises
    ------
    InputError
        `score` holds no frames, or `key_index` is none of them.
    """
    from pyicg.report import figures, geometry, html, sensitivity, surface_map
    from pyicg.timeline import sbr_curve

    if not 0 <= score.key_index < len(score.frames):
        raise InputError(f"key_index is {score.key_index} with {len(score.frames)} frames; expected one of the frames")
    key = score.frames[score.key_index]
    height, width = score.key_image.shape
    z_mm, y_mm, x_mm = score.spacing_mm
    pixel_size = None if y_mm is None or x_mm is None else (y_mm, x_mm)
    line = foot = window = per_slice = None
    if z_mm is not None and y_mm is not None and x_mm is not None:
        spacing = (z_mm, y_mm, x_mm)
        if score.plane is not None:
            point, normal = score.plane.point_mm, score.plane.normal
            line = geometry.line_of_plane(
                point, normal, z_mm=key.index * z_mm, spacing_yx_mm=(y_mm, x_mm), shape=(height, width)
            )
            per_slice = geometry.distance_per_slice(score.frames, score.plane, spacing_mm=spacing)
        if score.distance is not None:
            foot = geometry.closest_in_slice(score.distance, index=key.index, spacing_mm=spacing)
        if foot is not None:
            window = geometry.window_around(foot, line, spacing_yx_mm=(y_mm, x_mm), shape=(height, width))
    name = "slice" if score.view == "section" else "frame"
    drawn: dict[str, Any] = {
        "mask": score.key_mask,
        "score": key,
        "pixel_size_mm": pixel_size,
        "foot_yx": foot,
        "plane_line": line,
        "distance": score.distance,
        "unit": key.unit,
    }
    title = f"{name.capitalize()} {key.index}"
    if score.summary.get("truth"):
        title = f"SIMULATED. {title}"
    overlay = figures.overlay(score.key_image, **drawn, title=f"{title} (key {name})")
    pictures = [html.Picture(f"{title}, the key {name}", html.overlay_caption(score, line, foot), overlay)]
    if window is not None:
        close = figures.overlay(score.key_image, **drawn, window=window, title=f"{title}: closest point, enlarged")
        pictures.append(html.Picture("Closest point, enlarged", "The same picture, cropped.", close))
    if score.distance is not None and score.distance.map is not None and score.plane is not None:
        seen = surface_map.surface_map(score.distance, score.plane.normal)
        caption = (
            "The side of the tumour that faces the resection plane, seen from there, coloured by how far it lies from "
            "the plane. Between slices the surface is interpolated."
        )
        pictures.append(html.Picture("The tumour as the resection plane sees it", caption, seen))
    curve = sbr_curve(score.frames) if score.view == "bed" and len(score.frames) > 1 else None
    series = figures.chart(
        score.frames,
        axis_label=name.capitalize(),
        sbr_cut=key.sbr_cut,
        distance_per_slice=per_slice,
        curve=curve,
    )
    caption = f"Signal-to-background ratio with its 95 % interval in each {name}; below it, what limits the {name}."
    if curve is not None:
        used, total = sum(not reasons for reasons in curve.left_out), len(score.frames)
        others = "no rule left one out" if used == total else "rules left out the others"
        caption += f" The smoothed curve rests on {used} of {total} frames; {others}."
    pictures.append(html.Picture(f"All {name}s", caption, series))
    return overlay, html.render(score, pictures=pictures, sensitivity=sensitivity.section(score))
