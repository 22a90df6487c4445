"""Simulated frames with rims for `rim.py`, and how far a found boundary lies from the true one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from pyicg.phantom import RimScene, RimShape, rim_scene

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SBRS = (1.5, 2.0, 3.0, 5.0, 8.0)
SNRS = (5.0, 10.0, 20.0, 40.0, 100.0)
BLURS_PX = (0.5, 1.0, 2.0, 4.0)
KINDS = ("circle", "ellipse", "wobbled", "lobed")
GAPS = (0.0, 0.1, 0.25, 0.5)
RADII_PX = (15.0, 60.0)
THICKNESSES_PX = (4.0, 40.0)
PIXEL_VARIANCE = 1 / 12  # of a pixel's own square, px^2
THICK = 4.0  # blur sigmas
PLACES = ("apart", "touching", "rim cut by the border", "core cut by the border")


@dataclass(frozen=True)
class Setting:
    """What one frame was drawn with."""

    seed: int
    kind: str
    sbr: float
    core_sbr: float
    snr: float
    blur_px: float
    gap: float
    lesions: int
    flecks: int
    tail: float = 0.0
    place: str = "apart"

    @property
    def told_px(self) -> float:
        """The blur as one measures it on an edge: with the pixel's own square."""
        return math.sqrt(self.blur_px**2 + PIXEL_VARIANCE)


@dataclass(frozen=True)
class Found:
    """One lesion as a method gives it; what the method does not give is NaN or None."""

    inner: Reals
    outer: Reals | None
    rim_mask: Flags
    inner_sigma: Reals | None = None
    completeness: float = math.nan
    confidence: float = 1.0


@dataclass(frozen=True)
class Errors:
    """One true lesion against what was found: signed errors in pixels, positive outwards, away from gaps."""

    inner: Reals
    outer: Reals
    normalised: Reals
    dice: float
    completeness: float
    confidence: float


def draw(seed: int, tail: float = 0.0, place: str = "apart") -> tuple[Setting, RimScene]:
    """Draw a frame from the grid; `place` is one of PLACES."""
    rng = np.random.default_rng(seed)
    setting = Setting(
        seed,
        kind=str(rng.choice(KINDS)),
        sbr=float(rng.choice(SBRS)),
        core_sbr=float(rng.uniform(0.2, 0.7)),
        snr=float(rng.choice(SNRS)),
        blur_px=float(rng.choice(BLURS_PX)),
        gap=float(rng.choice(GAPS, p=(0.5, 0.2, 0.2, 0.1))),
        lesions=int(rng.choice((1, 2, 3, 4), p=(0.55, 0.25, 0.1, 0.1))) if place == "apart" else 1,
        flecks=int(rng.choice((0, 0, 3, 8))),
        tail=tail,
        place=place,
    )
    shapes = [outline(rng, setting) for _ in range(setting.lesions)]
    if place == "touching":
        frame, shapes = with_neighbour(rng, shapes[0], outline(rng, setting), setting.blur_px)
    else:
        frame, shapes = placed(rng, shapes, setting.blur_px)
    if "border" in place:
        shapes = [cut(rng, shapes[0], place)]
    return setting, scene_of(setting, frame, shapes)


def scene_of(setting: Setting, frame_shape: tuple[int, int], shapes: list[RimShape]) -> RimScene:
    return rim_scene(
        frame_shape,
        shapes,
        sbr=setting.sbr,
        core_sbr=setting.core_sbr,
        snr=setting.snr,
        psf_sigma_px=setting.blur_px,
        psf_tail=setting.tail,
        flecks=setting.flecks,
        seed=setting.seed,
    )


def outline(rng: np.random.Generator, setting: Setting) -> RimShape:
    """Draw one shape: nowhere bent tighter than three sigma of the blur, one in seven thinner than four of them."""
    wanted = THICK * setting.blur_px
    thin = wanted > 1.5 * THICKNESSES_PX[0] and rng.random() < 0.15
    while True:
        lobes = int(rng.integers(3, 6))
        harmonics = {
            "wobbled": {m: (rng.normal(0, 0.02), rng.uniform(0, 2 * math.pi)) for m in range(2, 8)},
            "lobed": {lobes: (rng.uniform(0.8, 2.2) / lobes**2, rng.uniform(0, 2 * math.pi))},
        }.get(setting.kind, {})
        shape = RimShape(
            radius_px=log_uniform(rng, *RADII_PX),
            thickness_px=log_uniform(rng, *THICKNESSES_PX),
            centre_px=(0.0, 0.0),
            ellipticity=rng.uniform(0.1, 0.5) if setting.kind == "ellipse" else 0.0,
            angle_deg=rng.uniform(0, 180),
            harmonics=harmonics,
            gaps_deg=gaps(rng, setting.gap),
            thickness_harmonics={1: (rng.uniform(0, 0.2), rng.uniform(0, 2 * math.pi))},
        )
        thinnest = least_thickness_px(shape)
        fits = 0.4 * wanted < thinnest < wanted if thin else thinnest >= wanted
        if fits and tightest_bend_px(shape) >= max(3 * setting.blur_px, 5.0):
            return shape


def log_uniform(rng: np.random.Generator, lo: float, hi: float) -> float:
    return float(math.exp(rng.uniform(math.log(lo), math.log(hi))))


def gaps(rng: np.random.Generator, share: float) -> tuple[tuple[float, float], ...]:
    """Put one or two gaps of this share of the angles anywhere."""
    if share == 0:
        return ()
    count = int(rng.integers(1, 3))
    width = 360 * share / count
    first = rng.uniform(0, 360)
    starts = [first, (first + 180 + rng.uniform(-40, 40)) % 360][:count]
    return tuple((start, start + width) for start in starts)


def least_thickness_px(shape: RimShape) -> float:
    inner, outer = shape.contours()
    return float(KDTree(inner).query(outer)[0].min())


def tightest_bend_px(shape: RimShape) -> float:
    """Return the smallest radius of curvature of either boundary."""
    bends = []
    angle = np.linspace(0, 2 * math.pi, 1024, endpoint=False)
    for r in (shape.inner_radius_px(angle), shape.outer_radius_px(angle)):
        first = (np.roll(r, -1) - np.roll(r, 1)) / (2 * angle[1])
        second = (np.roll(r, -1) - 2 * r + np.roll(r, 1)) / angle[1] ** 2
        bends.append(np.abs(r**2 + 2 * first**2 - r * second) / (r**2 + first**2) ** 1.5)
    return float(1 / np.max(bends))


def placed(rng: np.random.Generator, shapes: list[RimShape], blur_px: float) -> tuple[tuple[int, int], list[RimShape]]:
    """Put the shapes on a loose lattice, clear of one another and of the border, each at a random sub-pixel place."""
    rooms = [math.ceil(np.hypot(*shape.contours()[1].T).max() + 4 * blur_px + 8) for shape in shapes]
    columns = math.ceil(math.sqrt(len(shapes)))
    rows = math.ceil(len(shapes) / columns)
    side = 2 * max(rooms) + 1
    moved = []
    for i, shape in enumerate(shapes):
        free = max(rooms) - rooms[i] + 1  # wander within the room that a smaller lesion leaves
        y, x = (side * k + side / 2 + rng.uniform(-free, free) for k in divmod(i, columns))
        moved.append(at(shape, (y, x)))
    return (side * rows, side * columns), moved


def with_neighbour(
    rng: np.random.Generator, shape: RimShape, other: RimShape, blur_px: float
) -> tuple[tuple[int, int], list[RimShape]]:
    """Put another shape to the right, so near that the rims share up to 80 % of the thinner one."""
    shared = rng.uniform(0, 0.8) * min(shape.thickness_px, other.thickness_px)
    apart = shape.contours()[1][:, 1].max() - other.contours()[1][:, 1].min() - shared
    other = at(other, (rng.uniform(-2, 2), float(apart)))
    outlines = np.vstack([shape.contours()[1], other.contours()[1]])
    margin = 4 * blur_px + 8
    y, x = margin - outlines.min(axis=0)
    height, width = (math.ceil(n) for n in np.ptp(outlines, axis=0) + 2 * margin)
    return (height, width), [at(s, (s.centre_px[0] + y, s.centre_px[1] + x)) for s in (shape, other)]


def cut(rng: np.random.Generator, shape: RimShape, place: str) -> RimShape:
    """Move a shape to the left until the border cuts its rim, or its core by up to half of the radius."""
    inner, outer = (float(c[:, 1].min()) for c in shape.contours())
    beyond = outer + rng.uniform(0.1, 0.9) * (inner - outer)
    if place == "core cut by the border":
        beyond = inner + rng.uniform(0.1, 0.5) * shape.radius_px
    return at(shape, (shape.centre_px[0], shape.centre_px[1] - beyond))


def at(shape: RimShape, centre_px: tuple[float, float]) -> RimShape:
    parts = {name: getattr(shape, name) for name in RimShape.__dataclass_fields__}
    return RimShape(**parts | {"centre_px": centre_px})


def matched(found: list[Found], scene: RimScene) -> tuple[dict[int, Found], int]:
    """Return for each true lesion what was found of it, and how many were found with confidence that are none.

    A lesion is found when its tumour and the true one share more than half of what either covers.
    """
    pairs: dict[int, Found] = {}
    false = 0
    truth = scene.truth
    for lesion in found:
        inside = polygon_mask(truth.labels.shape, lesion.inner)
        for k in range(len(truth.shapes)):
            core = truth.core_mask & (truth.labels == k + 1)
            if (inside & core).sum() > 0.5 * (inside | core).sum():
                pairs.setdefault(k, lesion)
                break
        else:
            false += lesion.confidence >= 0.5
    return pairs, false


def polygon_mask(shape: tuple[int, ...], contour: Reals) -> Flags:
    """Return which pixel centres a polygon encloses."""
    from matplotlib.path import Path

    y, x = np.indices(shape)
    lo, hi = np.floor(contour.min(axis=0)).astype(int), np.ceil(contour.max(axis=0)).astype(int) + 1
    part = tuple(slice(max(a, 0), max(b, 0)) for a, b in zip(lo, hi, strict=True))
    mask = np.zeros(shape, bool)
    points = np.column_stack([y[part].ravel(), x[part].ravel()])
    mask[part] = Path(contour).contains_points(points).reshape(mask[part].shape)
    return mask


def errors(found: Found, scene: RimScene, k: int) -> Errors:
    """Compare one lesion with the truth, away from gaps, from the border, and outside also from other rims."""
    truth, shape = scene.truth, scene.truth.shapes[k]
    clear_px = 3 * truth.psf_sigma_px + 3
    inner, far = signed_distances(found.inner, truth.inner_contours[k], shape, clear_px)
    far &= in_frame(found.inner, truth.labels.shape, clear_px)
    sigma = found.inner_sigma
    outer = np.empty(0)
    if found.outer is not None:
        distance, away = signed_distances(found.outer, truth.outer_contours[k], shape, clear_px)
        away &= in_frame(found.outer, truth.labels.shape, clear_px)
        for other in truth.shapes[:k] + truth.shapes[k + 1 :]:
            dy, dx = (found.outer - other.centre_px).T
            away &= np.hypot(dy, dx) > other.outer_radius_px(np.arctan2(dy, dx)) + clear_px
        outer = distance[away]
    whole = in_frame(truth.outer_contours[k], truth.labels.shape, 0.0).all()
    y, x = np.indices(truth.labels.shape)
    shown = ~shape.in_gap(np.arctan2(y - shape.centre_px[0], x - shape.centre_px[1]))
    mine, true = found.rim_mask & shown, truth.rim_mask & (truth.labels == k + 1)
    return Errors(
        inner=inner[far],
        outer=outer,
        normalised=np.empty(0) if sigma is None else inner[far] / sigma[far],
        dice=2 * float((mine & true).sum()) / max(int(mine.sum() + true.sum()), 1),
        completeness=found.completeness - shape.completeness if whole else math.nan,
        confidence=found.confidence,
    )


def in_frame(points: Reals, shape: tuple[int, ...], clear_px: float) -> Flags:
    """Return which points lie inside the frame and not near its border."""
    return np.asarray(((points > clear_px) & (points < np.array(shape) - 1 - clear_px)).all(axis=1))


def signed_distances(points: Reals, contour: Reals, shape: RimShape, clear_px: float) -> tuple[Reals, Flags]:
    """Return the distance of points from a dense closed contour, positive outside, and which lie away from gaps."""
    _, nearest = KDTree(contour).query(points)
    best = np.full(len(points), np.inf)
    for step in (-1, 1):  # the foot lies on one of the two edges that meet at the nearest vertex
        start, end = contour[nearest], contour[(nearest + step) % len(contour)]
        along = np.sum((points - start) * (end - start), axis=1) / np.sum((end - start) ** 2, axis=1)
        foot = start + np.clip(along, 0, 1)[:, None] * (end - start)
        best = np.minimum(best, np.hypot(*(points - foot).T))
    dy, dx = (points - shape.centre_px).T
    angle = np.arctan2(dy, dx)
    true_radius = np.hypot(*(contour - shape.centre_px).T)  # at even angles from 0
    radius = np.interp(
        np.mod(angle, 2 * np.pi),
        np.arange(len(contour) + 1) * 2 * np.pi / len(contour),
        np.append(true_radius, true_radius[0]),
    )
    away = ~shape.in_gap(angle)
    for edge in np.radians(shape.gaps_deg).ravel():
        end_of_gap = contour[round(edge * len(contour) / (2 * np.pi)) % len(contour)]
        away &= np.hypot(*(points - end_of_gap).T) > clear_px
    return np.where(np.hypot(dy, dx) >= radius, best, -best), away
