"""Boundaries of rims of known shape, to hundredths of a pixel, and the uncertainty they are told with.

The truth is analytic: blurred discs by `oracles.blurred_disc`, and `phantom.rim_scene`. Measured at noise 1 on a rim
of 400, radii of 10 to 40 px: inner radius within 0.007 px at a blur of 0.5 to 4 px with the blur told, and as well
with the blur estimated where the rim is at least 3 sigma thick. Thinner rims do not tell blur from level: at 2.3 to
2.7 sigma the boundary with the blur estimated lies 0.01 to 0.06 px too far in, at 1.8 sigma 0.3 to 0.4 px.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import pyicg
from pyicg.phantom import RimShape, rim_scene

from .oracles import annulus, radii
from .rims import noise, the_lesion


@pytest.mark.parametrize(("psf", "limit"), [(0.5, 0.012), (0.8, 0.01), (1.2, 0.01), (2.0, 0.014), (3.0, 0.015)])
@pytest.mark.parametrize(("inner", "outer"), [(10.0, 18.0), (15.0, 22.0), (25.0, 35.0), (40.0, 52.5)])
def test_radii_with_the_point_spread_told(psf: float, limit: float, inner: float, outer: float) -> None:
    for seed in range(2):
        centre = tuple(80 + np.random.default_rng(seed).uniform(-0.5, 0.5, 2))
        lesion = the_lesion(annulus((160, 160), centre, inner, outer, sigma=psf) + noise((160, 160)), psf_sigma_px=psf)
        found_inner, found_outer = radii(lesion.inner_contour, centre), radii(lesion.outer_contour, centre)
        assert found_inner.mean() == pytest.approx(inner, abs=limit)
        assert found_outer.mean() == pytest.approx(outer, abs=limit)
        assert np.abs(found_inner - inner).max() < 0.03
        assert lesion.thickness.value == pytest.approx(outer - inner, abs=2 * limit)
        corners = len(lesion.inner_contour)  # a polygon lies inside its circle
        polygon = corners / 2 * math.sin(2 * math.pi / corners) * inner**2
        assert lesion.area_px == pytest.approx(polygon, rel=2.5 * limit / inner)
        assert math.dist(lesion.centroid, centre) < 0.02
        assert (lesion.completeness, lesion.pattern, lesion.reasons) == (1.0, "rim", ())
        assert lesion.edge_sigma_px == pytest.approx(psf)


@pytest.mark.parametrize(
    ("psf", "inner", "outer", "limit"),
    [
        (0.5, 10, 18, 0.012),
        (0.8, 10, 18, 0.01),
        (0.8, 40, 52.5, 0.004),
        (1.2, 10, 18, 0.008),
        (1.2, 15, 22, 0.008),
        (1.2, 40, 52.5, 0.004),
        (2.0, 40, 52.5, 0.004),
        (2.0, 25, 35, 0.006),
        (2.0, 10, 18, 0.014),
        (2.0, 15, 22, 0.01),
        (3.0, 40, 52.5, 0.006),
        (3.0, 25, 35, 0.006),
        (3.0, 10, 18, 0.03),  # 2.7 sigma thick
        (3.0, 15, 22, 0.06),  # 2.3 sigma
    ],
)
def test_radii_with_the_point_spread_estimated(psf: float, inner: float, outer: float, limit: float) -> None:
    centre = (80.2, 79.6)
    lesion = the_lesion(annulus((160, 160), centre, inner, outer, sigma=psf) + noise((160, 160)))
    assert radii(lesion.inner_contour, centre).mean() == pytest.approx(inner, abs=limit)
    assert radii(lesion.outer_contour, centre).mean() == pytest.approx(outer, abs=limit)
    assert lesion.edge_sigma_px == pytest.approx(psf, abs=0.02 if limit < 0.02 else 0.06)


@pytest.mark.parametrize("told", [True, False])
def test_large_blur(told: bool) -> None:
    # The half level would lie 0.2 px (radius 40) to 0.32 px (25) inside.
    centre = (80.3, 79.6)
    for inner, outer, limit in ((40, 56, 0.01), (40, 52.5, 0.01), (25, 41, 0.01), (25, 37, 0.01)):
        image = annulus((160, 160), centre, inner, outer, sigma=4.0) + noise((160, 160))
        lesion = the_lesion(image, psf_sigma_px=4.0 if told else None)
        assert radii(lesion.inner_contour, centre).mean() == pytest.approx(inner, abs=limit)
        assert radii(lesion.outer_contour, centre).mean() == pytest.approx(outer, abs=limit)
        assert np.abs(radii(lesion.inner_contour, centre) - inner).max() < 0.05
        assert lesion.edge_sigma_px == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("sigma", [5.0, 10.0, 20.0])
def test_vertex_sigma_is_the_scatter_of_the_vertices(sigma: float) -> None:
    centre = (80.3, 79.6)
    image = annulus((160, 160), centre, 40, 52)
    lesions = [the_lesion(image + noise((160, 160), sigma, seed), psf_sigma_px=1.2) for seed in range(12)]
    errors = [(radii(lesion.inner_contour, centre) - 40) / lesion.inner_sigma for lesion in lesions]
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) < 1.25


def wobbled_scene(seed: int) -> tuple[pyicg.phantom.RimScene, RimShape]:
    rng = np.random.default_rng(seed)
    shape = RimShape(
        radius_px=rng.uniform(18, 32),
        thickness_px=rng.uniform(9, 14),
        centre_px=tuple(80 + rng.uniform(-1, 1, 2)),
        ellipticity=rng.uniform(0, 0.2),
        angle_deg=rng.uniform(0, 180),
        harmonics={3: (rng.uniform(0, 0.06), rng.uniform(0, 6))},
    )
    return rim_scene((160, 160), [shape], sbr=4.0, snr=20.0, psf_sigma_px=1.2, seed=seed), shape


def test_errors_are_as_large_as_told() -> None:
    inner, outer = [], []
    for seed in range(12):
        scene, shape = wobbled_scene(seed)
        lesion = the_lesion(scene.image)
        for contour, sigma, radius, errors in (
            (lesion.inner_contour, lesion.inner_sigma, shape.inner_radius_px, inner),
            (lesion.outer_contour, lesion.outer_sigma, shape.outer_radius_px, outer),
        ):
            y, x = (contour - shape.centre_px).T
            errors.append((np.hypot(y, x) - radius(np.arctan2(y, x))) / sigma)
    for errors in (inner, outer):
        pooled = np.concatenate(errors)
        assert 0.8 < math.sqrt(np.mean(pooled**2)) < 1.25
        assert np.mean(np.abs(pooled) > 3) < 0.03


def test_edge_width() -> None:
    # Blur of optics and pixel: what smooths the search does not count.
    for smooth_px in (0.8, 1.5):
        lesion = the_lesion(annulus((200, 200), (100, 100), 45, 80, sigma=2.0), smooth_px=smooth_px)
        assert lesion.edge_sigma_px == pytest.approx(2.0, rel=0.01)


def test_correlation_length_is_that_of_the_errors() -> None:
    # The integral of the errors' autocorrelation around the contour is n times the variance of its mean error over the
    # variance of one vertex, in vertices. From 60 frames the variance of a mean is known to 18 %.
    centre = (55.3, 54.6)
    clean = annulus((110, 110), centre, 25, 35)
    lesions = [the_lesion(clean + noise(clean.shape, 10, seed), psf_sigma_px=1.2) for seed in range(60)]
    errors = [radii(lesion.inner_contour, centre) - 25 for lesion in lesions]
    of_means = np.mean([error.mean() ** 2 for error in errors])
    of_vertices = np.mean([np.mean(error**2) for error in errors])
    length = 2 * math.pi * 25 * of_means / of_vertices
    told = np.mean([lesion.correlation_px for lesion in lesions])
    assert told == pytest.approx(length, rel=0.4)
