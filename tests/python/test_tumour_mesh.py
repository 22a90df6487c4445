"""The surface of a core in a volume, against balls of exact radius."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

import pyicg
from pyicg import InputError, Plane, UnitError

pytest.importorskip("skimage", reason="iso_surface needs scikit-image, the extra 'volume'")

Volume = npt.NDArray[np.float32]
STEPS = (0.5, 0.3, 0.3)
CENTRE = np.array([9.1, 9.2, 8.9])
RADIUS, THICK = 5.0, 2.0


def shell(blur_mm: float = 0.25, noise: float = 0.0, seed: int = 0) -> Volume:
    """Return a rim of 4 around a core of 0.3 in liver of 1."""
    shape = tuple(round(18 / step) for step in STEPS)
    r = np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) * STEPS - CENTRE, axis=-1)
    edges = [1 / (1 + np.exp(np.clip((r - radius) / 0.05, -60, 60))) for radius in (RADIUS, RADIUS + THICK)]
    sharp = 1 + 3 * edges[1] - 3.7 * edges[0]
    blurred = gaussian_filter(sharp, [blur_mm / step for step in STEPS])
    return (blurred + np.random.default_rng(seed).normal(0, noise, shape)).astype(np.float32)


def surface(volume: Volume, noise: float = 0.0) -> pyicg.TumourMesh:
    inside = tuple(int(c / s) for c, s in zip(CENTRE, STEPS, strict=True))
    return pyicg.iso_surface(volume, core=0.3, rim=4.0, inside=inside, spacing_mm=STEPS, noise=noise)


def test_the_surface_of_a_ball() -> None:
    mesh = surface(shell())
    r = np.linalg.norm(mesh.points_mm - CENTRE, axis=1)
    assert r.mean() == pytest.approx(RADIUS - 0.25**2 / RADIUS, abs=0.01)  # the half level's own bias
    assert r.std() < 0.02
    assert mesh.warnings == ()
    dist = pyicg.distance_to_plane(mesh, Plane(point_mm=(0, 17, 0), normal=(0, 1, 0)))
    assert dist.min_mm == pytest.approx(17 - 9.2 - RADIUS, abs=0.03)
    assert dist.map is not None
    assert dist.map.area_mm2.sum() == pytest.approx(4 * math.pi * RADIUS**2, rel=0.02)
    assert dist.map.quantile(0.5) == pytest.approx(17 - 9.2, abs=0.1)


def test_noise_is_in_the_interval() -> None:
    plane = Plane(point_mm=(0, 14.0, 14.2), normal=(0.2, 0.7, 0.6))
    truth = float((np.array(plane.point_mm) - CENTRE) @ plane.normal) - RADIUS + 0.25**2 / RADIUS
    found = [pyicg.distance_to_plane(surface(shell(noise=0.3, seed=k), 0.3), plane) for k in range(16)]
    errors = np.array([dist.min_mm - truth for dist in found])
    scatter = np.mean([dist.budget.boundary for dist in found if dist.budget])
    assert 0.5 < errors.std() / scatter < 1.6
    assert np.mean([dist.bias_mm for dist in found]) < -0.01
    assert abs(errors.mean()) < np.mean([abs(dist.bias_mm) for dist in found])
    level = found[0].budget.level if found[0].budget else math.nan
    assert level == pytest.approx(0.1 / math.sqrt(3) * math.sqrt(2 * math.pi) * 0.25, rel=0.35)


def test_thick_and_cut_volumes_say_so() -> None:
    volume = shell()
    cut = surface(np.ascontiguousarray(volume[:, :36]))
    assert cut.warnings == ("clipped_by_border",)
    plane = Plane(point_mm=(0, 17, 0), normal=(0, 1, 0))
    assert "clipped_by_border" in pyicg.distance_to_plane(cut, plane).warnings
    thick = pyicg.iso_surface(volume, core=0.3, rim=4.0, inside=(18, 30, 29), spacing_mm=(2.5, 0.3, 0.3))
    assert pyicg.distance_to_plane(thick, plane).warnings == ("slice_too_thick",)
    with pytest.raises(UnitError, match="already"):
        pyicg.distance_to_plane(thick, plane, spacing_mm=(1, 1, 1))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"volume": np.zeros((4, 4, 4))}, InputError, "float32"),
        ({"volume": np.zeros((4, 4), np.float32)}, InputError, "3-D"),
        ({"volume": np.full((4, 4, 4), np.nan, np.float32)}, InputError, "finite"),
        ({"volume": [[[1.0]]]}, InputError, "volume is a list"),
        ({"volume": None}, InputError, "volume is a NoneType"),
        ({"core": "dark"}, InputError, "core is 'dark'.*expected numbers"),
        ({"spacing_mm": None}, UnitError, "three positive lengths"),
        ({"core": 5.0}, InputError, "core < rim"),
        ({"noise": -1.0}, InputError, "noise"),
        ({"inside": (0, 0, 0)}, InputError, "not in a core"),
        ({"inside": (99, 0, 0)}, InputError, "expected a voxel"),
        ({"inside": (1, 2)}, InputError, "expected a voxel"),
        ({"spacing_mm": (1, 0, 1)}, UnitError, "positive"),
    ],
)
def test_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    bright = np.full((6, 6, 6), 4, np.float32)
    bright[3, 3, 3] = 0
    given: dict[str, Any] = {"volume": bright, "core": 0.0, "rim": 4.0, "inside": (3, 3, 3), "spacing_mm": (1, 1, 1)}
    given |= options
    with pytest.raises(error, match=message):
        pyicg.iso_surface(given.pop("volume"), **given)
