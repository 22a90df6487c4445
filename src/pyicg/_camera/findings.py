"""What is amiss with a camera or with its characterisation frames, and which figures that touches."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pyicg._camera.frame_series import FrameSeries
from pyicg._camera.photon_transfer import SATURATED_SHARE, Levels, curve_scatter, linear_range
from pyicg._camera.tiles import fit_line, jackknife_variance, tile_means
from pyicg.results import Finding

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PRODUCTION_LEVELS = 9
SPATIAL_FRAMES = 16
_BEND_LIMIT = 0.005  # relative, at saturation
_UNEVEN_LIMIT = 0.03
_OUTLIER_LIMIT = 0.05
_AGREEMENT = 0.02  # scatter of the other levels up to which light counts as constant
_OUTLIER_CHANCE = 1e-4
_SIGMAS = 5.0
_DARK_STEP_DN = 0.5
_CHANCE = 2.9e-7  # of exceeding 5 sigma
_MIN_TO_JUDGE = 6

# Figures that carry a finding's code as their reason, unless they have one of their own.
TOUCHED = {
    "not_linear": ("linearity_error", "responsivity", "quantum_efficiency"),
    "uneven_light": ("prnu", "prnu_row", "prnu_column", "prnu_pixel"),
    "too_few_levels": ("gain_dn_per_e", "responsivity", "quantum_efficiency", "linearity_error"),
    "few_frames": (
        "prnu",
        "prnu_row",
        "prnu_column",
        "prnu_pixel",
        "dsnu_e",
        "dsnu_row_e",
        "dsnu_column_e",
        "dsnu_pixel_e",
    ),
    "exposure_inconsistent": (
        "responsivity",
        "quantum_efficiency",
        "linearity_error",
        "dark_current",
        "dark_noise_e",
        "dark_noise_dn",
    ),
}


def gain_finding() -> Finding:
    """Return what `gain_not_constant` means."""
    return Finding(
        "gain_not_constant",
        "gain: the levels depart from the fitted gain by 3 % or more on average, expected less; look for processing "
        "inside the camera (gamma, denoising, binning) and switch it off",
    )


def level_findings(levels: Levels, saturation: int | None) -> list[Finding]:
    """Return what the levels say: too few, none saturated, exposures misstated, linearity bent."""
    found: list[Finding] = []
    n = levels.saturated_share.size
    if n < PRODUCTION_LEVELS:
        found.append(
            Finding(
                "too_few_levels",
                f"levels: found {n}, expected at least {PRODUCTION_LEVELS} (the standard asks for 50, and 9 in "
                "production); record more",
            )
        )
    if saturation is None:
        found.append(
            Finding(
                "not_saturated",
                f"levels: at most {levels.saturated_share.max():.2%} of the pixels reach full scale at any level, "
                "expected 0.1 % at one; add brighter levels, and check bit_depth",
            )
        )
    brightest = int(np.argmax(levels.signal[0])) if saturation is None else saturation
    suspects, texts = _inconsistent(levels)
    found += [Finding("exposure_inconsistent", text) for text in texts]
    bend = _bend(levels, brightest, suspects)
    return found if bend is None else [*found, bend]


def spatial_findings(
    levels: Levels, spatial: tuple[FrameSeries, FrameSeries] | None, fitted: BoolArray
) -> list[Finding]:
    """Return what the mean images say: uneven light, too few frames."""
    found: list[Finding] = []
    if spatial is not None:
        lit, unlit = spatial
        frames = min(lit.n, unlit.n)
        if frames < SPATIAL_FRAMES:
            found.append(
                Finding(
                    "few_frames",
                    f"spatial frames: found {frames}, expected at least {SPATIAL_FRAMES}; record more, best 100",
                )
            )
        tiles = tile_means(lit.mean - unlit.mean)[0]
    else:
        tiles = levels.tiles[:, fitted].sum(axis=1)
    uneven = _unevenness(tiles)
    if uneven > _UNEVEN_LIMIT:
        found.append(
            Finding(
                "uneven_light",
                f"light: the bright image changes by {uneven:.1%} of its mean from its darkest to its brightest part, "
                "expected at most 3 %; light the sensor evenly, without a lens",
            )
        )
    return found


def _unevenness(tiles: FloatArray) -> float:
    """Return the range, over the image, of a second-order surface fitted to tile means, relative to their mean."""
    side = math.isqrt(tiles.size)
    if side * side != tiles.size or side < 4 or not tiles.mean() > 0.0:
        return 0.0
    y, x = (
        axis.ravel() for axis in np.meshgrid(*[np.linspace(-1.0, 1.0, side + 1)[:-1] + 1.0 / side] * 2, indexing="ij")
    )
    coefficients = np.linalg.lstsq(_surface(y, x), tiles / tiles.mean(), rcond=None)[0]
    edge_y, edge_x = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-1.0, 1.0, 17)] * 2, indexing="ij"))
    return float(np.ptp(_surface(edge_y, edge_x) @ coefficients))


def _surface(y: FloatArray, x: FloatArray) -> FloatArray:
    return np.stack([np.ones_like(y), y, x, y * y, x * y, x * x], axis=1)


def _outlier(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[int, float, float] | None:
    """Return the point furthest from the line through the others, its distance, and their scatter (both weighted).

    The test is the externally studentised residual at p < 1e-4 for all points together.
    """
    from scipy.special import stdtrit

    n = x.size
    if n < _MIN_TO_JUDGE:
        return None
    worst: tuple[float, int, float, float] = (0.0, -1, 0.0, 0.0)
    for k in range(n):
        rest = np.arange(n) != k
        w = weights[rest] ** 2
        line = fit_line(x[rest], y[rest], intercept=True, weights=w)
        if line is None:
            continue
        scatter = math.sqrt(float(np.sum(w * line.residual**2)) / line.dof)
        mean = float(w @ x[rest]) / float(w.sum())
        reach = 1.0 / float(w.sum()) + (x[k] - mean) ** 2 / float(w @ (x[rest] - mean) ** 2)
        distance = float((y[k] - line.intercept - line.slope * x[k]) * weights[k])
        t = abs(distance) / max(scatter * math.sqrt(1.0 + weights[k] ** 2 * reach), 1e-300)
        if t > worst[0]:
            worst = (t, k, distance, scatter)
    t, k, distance, scatter = worst
    limit = float(stdtrit(n - 3, 1.0 - _OUTLIER_CHANCE / (2 * n)))
    return (k, distance, scatter) if k >= 0 and t > limit else None


def _inconsistent(levels: Levels) -> tuple[set[int], list[str]]:
    """Return the levels whose exposure or photon number cannot be as stated, and a sentence for each."""
    suspects: set[int] = set()
    texts: list[str] = []
    signal = levels.signal[0]
    usable = np.flatnonzero((signal > 0.0) & (levels.saturated_share <= SATURATED_SHARE[1]))
    noise = np.sqrt(jackknife_variance(levels.signal))
    for name, stated in (("exposure", levels.exposures), ("photon number", levels.photons)):
        if stated is None:
            continue
        index = usable[(stated[usable] > 0.0) & ~(noise[usable] > _OUTLIER_LIMIT / _SIGMAS * signal[usable])]
        found = _outlier(stated[index], signal[index], 1.0 / signal[index])
        if found is None:
            continue
        k, distance, scatter = int(index[found[0]]), found[1], found[2]
        if abs(distance) > _OUTLIER_LIMIT and scatter < _AGREEMENT and k not in suspects:
            suspects.add(k)
            texts.append(
                f"level {k}: its signal departs by {distance:.0%} from the line through the other levels, expected "
                f"under 5 %; check the {name} stated for it ({stated[k]:g})"
            )
    texts += _dark_texts(levels, suspects)
    return suspects, texts


def _dark_texts(levels: Levels, suspects: set[int]) -> list[str]:
    """Return what the dark means say of the exposures."""
    if levels.exposures is None:
        return []
    exposures, dark = levels.exposures, levels.dark_mean
    texts: list[str] = []
    for exposure in np.unique(exposures):
        same = np.flatnonzero(exposures == exposure)
        step = dark[:, same] - np.median(dark[:, same], axis=1, keepdims=True)
        noise = np.nan_to_num(np.sqrt(jackknife_variance(step)))
        for k in same[np.abs(step[0]) > np.maximum(_SIGMAS * noise, _DARK_STEP_DN)]:
            suspects.add(int(k))
            texts.append(
                f"level {k}: its dark mean is {dark[0, k]:.2f} DN where others of the same exposure have "
                f"{np.median(dark[0, same]):.2f} DN; check the exposure stated for it ({exposure:g} ms)"
            )
    found = _outlier(exposures, dark[0], np.ones_like(exposures))
    line = fit_line(exposures, dark, intercept=True)
    if found is None or line is None or found[0] in suspects:
        return texts
    k, distance, _ = found
    own = float(np.nan_to_num(np.sqrt(jackknife_variance(line.residual)))[k])
    current = abs(float(line.slope[0])) * exposures[k]
    if abs(distance) > max(_SIGMAS * own, _OUTLIER_LIMIT * current):
        suspects.add(k)
        texts.append(
            f"level {k}: its dark mean lies {distance:+.2f} DN off the line in exposure through the others; check the "
            f"exposure stated for it ({exposures[k]:g} ms)"
        )
    return texts


def _bend(levels: Levels, brightest: int, suspects: set[int]) -> Finding | None:
    """Compare a parabola with the line: its relative departure at saturation, beyond 0.5 % and 5 sigma."""
    from scipy.special import stdtrit

    inside = linear_range(levels, brightest)
    inside[list(suspects)] = False
    signal = levels.signal[:, inside]
    for stated in (levels.photons, levels.exposures):
        if stated is None or signal.shape[1] < _MIN_TO_JUDGE or not stated[inside].max() > 0.0:
            continue
        x = stated[inside] / stated[inside].max()
        line = fit_line(x, signal, intercept=True, weights=signal**-2)
        if line is None:
            continue
        if stated is not levels.photons and np.max(np.abs(line.residual[0] / signal[0])) > _OUTLIER_LIMIT:
            continue  # the exposures do not say how much light there was
        design = np.vander(x, 3) / signal[0][:, None]
        solve = np.linalg.pinv(design)
        square, slope, _ = solve @ (signal / signal[0]).T
        reach = float(levels.signal[0, brightest] / signal[0].max())
        bend = -square / slope * reach
        scatter = curve_scatter(stated[inside], signal)
        spread = float(scatter.variance * np.sum(solve[0] ** 2)) * (reach / float(slope[0])) ** 2
        pixels = float(np.nan_to_num(jackknife_variance(bend)))
        sigma = math.sqrt(pixels + spread)
        dof = scatter.dof if spread > pixels else len(signal) - 2
        limit = float(stdtrit(max(dof, 1.0), 1.0 - _CHANCE)) * sigma
        if abs(bend[0]) > max(limit, _BEND_LIMIT):
            return Finding(
                "not_linear",
                f"linearity: the response bends by {bend[0]:.1%} up to saturation, expected under 0.5 %; correct it "
                "(build_profile with linearity=...), or work at lower signals",
            )
        return None
    return None
