"""What others do on the frames of `rim.py`: scikit-image and OpenCV as their users write it, and a plain half level."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from rim_frames import Flags, Found, Reals, polygon_mask
from scipy import ndimage

from pyicg.phantom import RimScene

KNOWN = "half level, known centre"
SMOOTH_PX = 1.0  # as pyicg
LEAST_PX = 64


def scikit_image(scene: RimScene) -> list[Found]:
    """Gauss, Otsu, drop what is small, fill holes; boundaries by find_contours at the half levels of each lesion."""
    from skimage import filters, measure, morphology

    smooth = filters.gaussian(scene.image, SMOOTH_PX, preserve_range=True).astype(float)
    bright = morphology.remove_small_objects(smooth > filters.threshold_otsu(smooth), max_size=LEAST_PX - 1)
    filled = ndimage.binary_fill_holes(bright)
    cores, count = ndimage.label(filled & ~bright)
    liver = float(np.median(smooth[~filled])) if not filled.all() else 0.0
    regions, _ = ndimage.label(filled, np.ones((3, 3)))
    found = []
    for k in range(1, count + 1):
        core = cores == k
        if core.sum() < LEAST_PX:
            continue
        rim = bright & (regions == regions[core][0])
        dark, light = float(np.median(smooth[core])), float(np.percentile(smooth[rim], 90))
        inner = outlining(core, measure.find_contours(smooth, (dark + light) / 2))
        outer = outlining(regions == regions[core][0], measure.find_contours(smooth, (liver + light) / 2))
        if inner is not None:
            found.append(lesion(inner, outer, smooth.shape))
    return found


def outlining(mask: Flags, contours: list[Reals]) -> Reals | None:
    """Return the closed contour whose bounding box fits that of a region best; None when there is none."""
    places = np.argwhere(mask)
    box = np.array([places.min(axis=0), places.max(axis=0)])
    closed = [c for c in contours if np.array_equal(c[0], c[-1])]
    return min(closed, key=lambda c: float(np.abs([c.min(axis=0), c.max(axis=0)] - box).max()), default=None)


def lesion(inner: Reals, outer: Reals | None, shape: tuple[int, ...]) -> Found:
    core = polygon_mask(shape, inner)
    rim = np.zeros(shape, bool) if outer is None else polygon_mask(shape, outer) & ~core
    return Found(inner, outer, rim)


def opencv(scene: RimScene) -> list[Found]:
    """Gauss, 8 bits, Otsu, findContours with its hierarchy: a hole is a core, its parent the rim's outer boundary."""
    import cv2

    smooth = cv2.GaussianBlur(scene.image, (0, 0), SMOOTH_PX)
    grey = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    _, bright = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    contours, hierarchy = cv2.findContours(bright, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = []
    for k, contour in enumerate(contours):
        parent = int(hierarchy[0][k][3])
        if parent >= 0 and cv2.contourArea(contour) >= LEAST_PX:
            inner, outer = (c[:, 0, ::-1].astype(float) for c in (contour, contours[parent]))
            found.append(lesion(inner, outer, bright.shape))
    return found


def half_level(scene: RimScene) -> list[Found]:
    """Cross half way between core and rim, rim and liver on 360 rays from the true centre, levels from the truth."""
    smooth = ndimage.gaussian_filter(scene.image.astype(float), SMOOTH_PX)
    truth = scene.truth
    found = []
    for k, shape in enumerate(truth.shapes):
        dark = float(np.median(scene.image[truth.core_mask & (truth.labels == k + 1)]))
        light = float(np.median(scene.image[truth.rim_mask & (truth.labels == k + 1)]))
        liver = float(np.median(scene.image[~truth.rim_mask & ~truth.core_mask]))
        angles = np.radians(np.arange(360.0))
        inner, outer = shape.inner_radius_px(angles), shape.outer_radius_px(angles)
        middle = (inner + outer) / 2
        contours = []
        for lo, hi, level in (
            (np.zeros(360), middle, (dark + light) / 2),
            (middle, 1.5 * outer - 0.5 * middle, (liver + light) / 2),
        ):
            share = np.linspace(0, 1, 400)[:, None]
            radii = lo + share * (hi - lo)
            values = ndimage.map_coordinates(
                smooth,
                [shape.centre_px[0] + radii * np.sin(angles), shape.centre_px[1] + radii * np.cos(angles)],
                order=1,
                mode="nearest",
            )
            contours.append(np.array(shape.centre_px) + crossing(radii, values - level, angles))
        found.append(lesion(contours[0], contours[1], smooth.shape))
    return found


def crossing(radii: Reals, values: Reals, angles: npt.NDArray[np.float64]) -> Reals:
    """Return the crossing of zero next to the middle of each ray as (dy, dx); the ray's middle when there is none."""
    change = np.signbit(values[1:]) != np.signbit(values[:-1])
    distance = np.where(change, np.abs(np.arange(len(change)) - len(change) / 2)[:, None], np.inf)
    i = distance.argmin(axis=0)
    column = np.arange(len(angles))
    before, after = values[i, column], values[i + 1, column]
    share = np.where(change[i, column], before / np.where(before == after, 1, before - after), 0.5)
    radius = radii[i, column] + share * (radii[i + 1, column] - radii[i, column])
    return np.column_stack([radius * np.sin(angles), radius * np.cos(angles)])


def installed() -> dict[str, Callable[[RimScene], list[Found]]]:
    """Return the routes that can run here."""
    routes: dict[str, Callable[[RimScene], list[Found]]] = {}
    if importlib.util.find_spec("skimage"):
        routes["scikit-image"] = scikit_image
    if importlib.util.find_spec("cv2"):
        routes["OpenCV"] = opencv
    routes[KNOWN] = half_level
    return routes
