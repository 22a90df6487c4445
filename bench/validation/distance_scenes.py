"""Sliced tumours with exact truth for `distance.py`: how far they lie from a plane, and what a camera sees of them.

Lengths are mm and (z, y, x). Slice k lies at z = k times the spacing of the slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize

import pyicg
from pyicg.phantom import RimShape, SectionPhantom, rim_scene, section_stack

Reals = npt.NDArray[np.float64]

PARTS = ("grid", "thick", "specimen", "thin")
KINDS = ("sphere", "ellipsoid", "lobed")
PIXEL_MM = 0.2
SPACINGS_MM = (0.5, 1.0, 2.0)
STEPS_MM = {"thick": 5.0, "thin": 0.2}
FAR_MM = 20.0
SPECIMEN_MARGINS_MM = (0.4, 0.9, 1.1, 3.0)
SPECIMEN_SPACINGS_MM = (0.5, 1.0)
SPECIMEN_RIM_MM = 1.6
SPECIMEN_OUTER_MM = 6.0
RIM_MM = 1.2
RIM_BLURS = 4.0  # sigmas that a rim is thick at least
LEAST_CORE_PX = 6.0  # a smaller core is not found by any segmentation: its slice shows liver


@dataclass(frozen=True, eq=False)
class Tumour:
    """A body whose section at height s over its centre is an outline, scaled, moved and turned.

    Scaled by sqrt((1 - t^2)(1 + egg t)) with t = s / height, moved by lean s + bend s^2, turned by
    twist s. With an ellipse, and neither egg, bend nor twist, it is an ellipsoid, and every ellipsoid is one of these.
    """

    kind: str
    outline: RimShape  # at the centre, in mm instead of pixels
    height: float
    lean: tuple[float, float] = (0.0, 0.0)
    bend: tuple[float, float] = (0.0, 0.0)
    egg: float = 0.0
    twist: float = 0.0

    def scale(self, t: npt.ArrayLike) -> Reals:
        t = np.asarray(t, np.float64)
        return np.sqrt(np.maximum((1 - t**2) * (1 + self.egg * t), 0.0))

    def offset(self, s: npt.ArrayLike) -> Reals:
        """Return where the section at height s has its centre (y, x)."""
        s = np.asarray(s, np.float64)[..., None]
        return np.asarray(s * np.array(self.lean) + s**2 * np.array(self.bend))

    def section(self, s: float, rim: float) -> RimShape | None:
        """Return the section at height s in mm, within the shell that the body swollen by `rim` leaves around it."""
        mean = self.outline.radius_px
        radius = mean * float(self.scale(s / self.height))
        if radius == 0:
            return None
        swollen = 1 + rim / mean
        y, x = self.offset(s)
        turn = self.twist * s
        return RimShape(
            radius,
            mean * swollen * float(self.scale(s / self.height / swollen)) - radius,
            (float(y), float(x)),
            ellipticity=self.outline.ellipticity,
            angle_deg=self.outline.angle_deg + math.degrees(turn),
            harmonics={m: (a, phase + m * turn) for m, (a, phase) in self.outline.harmonics.items()},
        )

    def points(self, angle: Reals, rise: Reals) -> Reals:
        """Return points of the surface, relative to the centre; `rise` runs from -pi/2 at the foot to pi/2."""
        s = self.height * np.sin(rise)
        radius = self.outline.inner_radius_px(angle) * self.scale(np.sin(rise))
        turned = angle + self.twist * s
        y, x = np.moveaxis(self.offset(s), -1, 0)
        return np.stack([s, y + radius * np.sin(turned), x + radius * np.cos(turned)], axis=-1)

    def furthest(self, normal: Reals) -> Reals:
        """Return the point of the surface that lies furthest along the normal, relative to the centre."""
        return self.furthest_searched(normal) if self.kind == "lobed" else self.furthest_of_ellipsoid(normal)

    def furthest_of_ellipsoid(self, normal: Reals) -> Reals:
        axes = math.sqrt(1 - self.outline.ellipticity)
        turn = math.radians(self.outline.angle_deg)
        long, short = np.array([math.sin(turn), math.cos(turn)]), np.array([math.cos(turn), -math.sin(turn)])
        spread = self.outline.radius_px**2 * (np.outer(long, long) / axes**2 + np.outer(short, short) * axes**2)
        rise = normal[0] + np.dot(self.lean, normal[1:])
        reach = math.sqrt(self.height**2 * rise**2 + normal[1:] @ spread @ normal[1:])
        s = self.height**2 * rise / reach
        return np.array([s, *(self.offset(s) + spread @ normal[1:] / reach)])

    def furthest_searched(self, normal: Reals) -> Reals:
        """As `furthest`, on a grid and then refined from every grid point that may be the one."""
        angles = np.linspace(0, 2 * math.pi, 360, endpoint=False)
        rises = np.linspace(-math.pi / 2, math.pi / 2, 181)
        reach = self.points(*np.meshgrid(angles, rises)) @ normal
        peaks = (reach == maximum_filter(reach, 3, mode=("nearest", "wrap"))) & (reach > reach.max() - 0.01)

        def less(at: Reals) -> float:
            return -float(self.points(at[0], at[1]) @ normal)

        found = [
            minimize(less, (angles[j], rises[i]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12})
            for i, j in np.argwhere(peaks)
        ]
        return self.points(*min(found, key=lambda one: float(one.fun)).x)


@dataclass(frozen=True, eq=False)
class Case:
    """A sliced tumour and a plane. `exact` is the plane; `told` is what points on it with an error make of it."""

    part: str
    number: int
    seed: int
    kind: str
    spacing_mm: tuple[float, float, float]
    true_mm: float
    exact: pyicg.Plane
    told: pyicg.Plane
    tilt_deg: float
    shapes: tuple[RimShape | None, ...]  # px, slice by slice; None: no lesion to be seen
    frame: tuple[int, int]
    sbr: float
    core_sbr: float
    snr: float
    blur_px: float
    beyond_mm: float = 0.0  # of a specimen: how far its centre lies behind the middle slice


def draw(number: int, seed: int, part: str = "grid") -> Case:
    """Draw a case; the part tells from what: see `distance.py`."""
    rng = np.random.default_rng([seed, PARTS.index(part), number])
    return draw_specimen(rng, number, seed) if part == "specimen" else draw_tilted(rng, number, seed, part)


def draw_tilted(rng: np.random.Generator, number: int, seed: int, part: str) -> Case:
    kind = KINDS[number // len(SPACINGS_MM) % len(KINDS)]
    step = STEPS_MM.get(part, SPACINGS_MM[number % len(SPACINGS_MM)])
    true_mm = FAR_MM if part == "thick" and number % 4 == 0 else rng.uniform(-1, 4 if part == "thick" else 6)
    tumour = draw_tumour(rng, kind)
    blur = rng.uniform(0.5, 2)
    rim = max(RIM_MM, RIM_BLURS * blur * PIXEL_MM)

    # One to two slices of liver on either side of the tumour.
    before = math.ceil(tumour.height / step) + 1
    middle = before + rng.uniform(-0.5, 0.5)
    sections = [tumour.section((k - middle) * step, rim) for k in range(2 * before + 1)]
    seen = [one if one and one.radius_px >= LEAST_CORE_PX * PIXEL_MM else None for one in sections]
    ends = np.concatenate([one.contours()[1] for one in seen if one] or [np.zeros((1, 2))]) / PIXEL_MM
    room = 5 * blur + 8
    corner = np.floor(ends.min(axis=0) - room) - rng.uniform(0, 1, 2)
    frame = tuple(int(n) for n in np.ceil(ends.max(axis=0) + room - corner))

    centre = np.array([middle * step, *(-corner * PIXEL_MM)])
    tilt, azimuth = math.radians(rng.uniform(-60, 60)), rng.uniform(0, 2 * math.pi)
    flat = math.cos(tilt)
    normal = np.array([math.sin(tilt), flat * math.sin(azimuth), flat * math.cos(azimuth)])
    foot = centre + tumour.furthest(normal) + true_mm * normal
    exact = pyicg.Plane(point_mm=tuple(foot), normal=tuple(normal))
    return Case(
        part=part,
        number=number,
        seed=seed,
        kind=kind,
        spacing_mm=(step, PIXEL_MM, PIXEL_MM),
        true_mm=float(true_mm),
        exact=exact,
        told=pyicg.fit_plane(marked(rng, foot, normal)).facing(centre.tolist()),
        tilt_deg=abs(math.degrees(tilt)),
        shapes=tuple(one and in_pixels(one, corner) for one in seen),
        frame=(frame[0], frame[1]),
        sbr=rng.uniform(2, 6),
        core_sbr=rng.uniform(0.2, 0.7),
        snr=float(rng.choice([10, 20, 40])),
        blur_px=blur,
    )


outline_mm = partial(RimShape, thickness_px=1.0, centre_px=(0.0, 0.0))


def draw_tumour(rng: np.random.Generator, kind: str) -> Tumour:
    radius = rng.uniform(4, 9)
    if kind == "sphere":
        return Tumour(kind, outline_mm(radius), radius)
    if kind == "ellipsoid":
        axes = radius * np.array([1, rng.uniform(0.6, 1), rng.uniform(0.6, 1)])
        turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        return ellipsoid(turn @ np.diag(axes**2) @ turn.T)
    orders = rng.choice([2, 3, 4], 2, replace=False)
    harmonics = {int(m): (rng.uniform(0.03, 0.08), rng.uniform(0, 2 * math.pi)) for m in orders}
    return Tumour(
        kind,
        outline_mm(radius, harmonics=harmonics),
        radius * rng.uniform(0.8, 1.2),
        lean=(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)),
        bend=(rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02)),
        egg=rng.uniform(-0.3, 0.3),
        twist=rng.uniform(-0.06, 0.06),
    )


def ellipsoid(spread: Reals) -> Tumour:
    """Return the ellipsoid that reaches sqrt(n . spread n) along a unit vector n."""
    lean = spread[1:, 0] / spread[0, 0]
    widths, axes = np.linalg.eigh(spread[1:, 1:] - np.outer(lean, lean) * spread[0, 0])
    short, long = np.sqrt(widths)
    outline = outline_mm(
        math.sqrt(short * long),
        ellipticity=float(1 - short / long),
        angle_deg=math.degrees(math.atan2(axes[0, 1], axes[1, 1])),
    )
    return Tumour("ellipsoid", outline, math.sqrt(spread[0, 0]), lean=(float(lean[0]), float(lean[1])))


def in_pixels(shape: RimShape, corner: Reals) -> RimShape:
    y, x = np.array(shape.centre_px) / PIXEL_MM - corner
    return RimShape(
        shape.radius_px / PIXEL_MM,
        shape.thickness_px / PIXEL_MM,
        (float(y), float(x)),
        ellipticity=shape.ellipticity,
        angle_deg=shape.angle_deg,
        harmonics=shape.harmonics,
    )


def marked(rng: np.random.Generator, foot: Reals, normal: Reals) -> Reals:
    """Return 8 to 40 points of a patch of the plane around the foot, each with an error along the normal."""
    count = int(rng.integers(8, 41))
    _, _, axes = np.linalg.svd(normal[None])
    half = rng.uniform(4, 10, 2)
    places = rng.uniform(-1, 1, (count, 2)) * half + rng.uniform(-0.5, 0.5, 2) * half
    errors = rng.normal(0, rng.uniform(0.05, 0.2), (count, 1))
    return np.asarray(foot + places @ axes[1:] + errors * normal)


def draw_specimen(rng: np.random.Generator, number: int, seed: int) -> Case:
    margin = SPECIMEN_MARGINS_MM[number % len(SPECIMEN_MARGINS_MM)]
    step = SPECIMEN_SPACINGS_MM[number // len(SPECIMEN_MARGINS_MM) % len(SPECIMEN_SPACINGS_MM)]
    beyond = rng.uniform(-0.5, 0.5) * step
    plane = specimen(margin, step, n_slices=1).plane
    return Case(
        part="specimen",
        number=number,
        seed=seed,
        kind="sphere",
        spacing_mm=(step, 0.1, 0.1),
        true_mm=margin,
        exact=plane,
        told=plane,
        tilt_deg=0.0,
        shapes=(),
        frame=(0, 0),
        sbr=rng.uniform(3, 5),
        core_sbr=rng.uniform(0.2, 0.6),
        snr=math.nan,
        blur_px=rng.uniform(0.8, 1.6),
        beyond_mm=beyond,
    )


def rims_of(case: Case) -> list[pyicg.RimSegmentation]:
    """Simulate the slices and find the rims; nobody tells the point spread."""
    if case.part == "specimen":
        section = specimen(
            case.true_mm,
            case.spacing_mm[0],
            n_slices=2 * math.ceil(SPECIMEN_OUTER_MM / case.spacing_mm[0]) + 3,
            sbr=case.sbr,
            core_sbr=case.core_sbr,
            centre_offset_mm=case.beyond_mm,
            psf_sigma_px=case.blur_px,
            seed=100_000 * case.seed + case.number,
        )
        cals = (pyicg.calibrate(frame, section.profile) for frame in section.stack)
        return [pyicg.segment_rim(cal, pixel_size_mm=case.spacing_mm[1]) for cal in cals]
    profile = pyicg.CameraProfile.identity(case.frame, bit_depth=None)
    rims = []
    for k, shape in enumerate(case.shapes):
        scene = rim_scene(
            case.frame,
            [shape] if shape else [],
            sbr=case.sbr,
            core_sbr=case.core_sbr,
            snr=case.snr,
            psf_sigma_px=case.blur_px,
            seed=1000 * (100_000 * case.seed + case.number) + k,
        )
        rims.append(pyicg.segment_rim(pyicg.calibrate(scene.image, profile), pixel_size_mm=case.spacing_mm[1]))
    return rims


def specimen(margin_mm: float, step_mm: float, **options: Any) -> SectionPhantom:
    """Simulate raw frames of a specimen whose rim has an outer radius of 6 mm."""
    return section_stack(
        margins_mm=(margin_mm,),
        shape=None,
        slice_spacing_mm=step_mm,
        core_radius_mm=SPECIMEN_OUTER_MM - SPECIMEN_RIM_MM,
        rim_thickness_mm=SPECIMEN_RIM_MM,
        **options,
    )
