"""Limit of detection, linearity and decay of a target's wells."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyicg
from pyicg import CalibratedFrame, CameraProfile, InputError, Measurement
from pyicg.detection import Series, Target, series, series_from_summary

# QUEL Imaging, quel-qal documentation (CC BY 4.0): mean and standard deviation of each well, and its CNR. The number of
# pixels is not printed; it is that of a disc of the printed diameter.
CONCENTRATION_N = int(math.pi / 4 * 151.535714**2)
CONCENTRATION = (
    (1000, 59760.951652, 1487.735624, 1298.179120),
    (300, 20439.588340, 525.006204, 431.364049),
    (100, 8629.352925, 270.957039, 171.014733),
    (60, 5373.131288, 185.975263, 99.233347),
    (30, 3053.348200, 126.267235, 48.095167),
    (10, 1591.042094, 77.388832, 15.859536),
    (3, 1052.401752, 54.535719, 3.985543),
    (1, 930.205833, 47.848387, 1.291810),
)
CONCENTRATION_CONTROL = (0, 871.605412, 45.363036)
DEPTH_N = int(math.pi / 4 * 64.666667**2)
DEPTH = (
    (0.5, 1.182437, 0.049110, 173.314025),
    (1.0, 0.763174, 0.046794, 106.203610),
    (1.5, 0.496486, 0.027279, 63.515392),
    (2.0, 0.374364, 0.021615, 43.967683),
    (3.0, 0.204223, 0.012571, 16.733587),
    (4.0, 0.137234, 0.008861, 6.010715),
    (5.0, 0.098709, 0.006516, -0.155788),
    (6.0, 0.100939, 0.006312, 0.201108),
)
DEPTH_CONTROL = (0, 0.099683, 0.006247)
DEPTH_NORMALISED = (1.0, 0.613129, 0.367045, 0.254358, 0.097362, 0.035548, 0.0, 0.002057)


def published_concentration(n: int | None = CONCENTRATION_N) -> Series:
    wells = [Target(*well[:3], n) for well in CONCENTRATION]
    return series_from_summary(wells, Target(*CONCENTRATION_CONTROL, n), quantity="concentration_nm")


def published_depth(n: int | None = DEPTH_N, control_mean: float = DEPTH_CONTROL[1]) -> Series:
    wells = [Target(*well[:3], n) for well in DEPTH]
    return series_from_summary(wells, Target(0, control_mean, DEPTH_CONTROL[2], n), quantity="depth_mm")


def concentration(cnr: dict[float, float], n: int | None = 400) -> Series:
    """Wells of a given CNR over a control of 100 with a standard deviation of 10."""
    wells = [Target(value, 100 + 10 * x, 10, n) for value, x in cnr.items()]
    return series_from_summary(wells, Target(0, 100, 10, n), quantity="concentration_nm")


def depth(cnr: dict[float, float], n: int | None = 400) -> Series:
    wells = [Target(value, 100 + 10 * x, 10, n) for value, x in cnr.items()]
    return series_from_summary(wells, Target(0, 100, 10, n), quantity="depth_mm")


def test_published_cnr() -> None:
    for found, table in ((published_concentration(), CONCENTRATION), (published_depth(), DEPTH)):
        assert found.values == tuple(row[0] for row in table)
        # Six decimals of mean and standard deviation, four figures of the latter.
        for cnr, row in zip(found.cnr, table, strict=True):
            assert cnr.value == pytest.approx(row[3], rel=1e-4, abs=2e-4)
    rounded = [round(cnr.value, 2) for cnr in published_concentration().cnr]
    assert rounded == [1298.18, 431.36, 171.01, 99.23, 48.10, 15.86, 3.99, 1.29]


def test_published_linearity_and_limit_of_detection() -> None:
    found = published_concentration()
    assert found.usable() == (1000, 300, 100, 60, 30, 10, 3)
    assert found.exponent() == found.exponent(low=3, high=1000)
    assert found.exponent().value == pytest.approx(0.992, abs=5e-4)
    assert found.exponent().ci[0] < 1 < found.exponent().ci[1]
    limit = found.limit_of_detection()
    cnr_3, cnr_1 = CONCENTRATION[-2][3], CONCENTRATION[-1][3]
    assert limit.value == pytest.approx(1 + 2 * (3 - cnr_1) / (cnr_3 - cnr_1), abs=1e-4)
    assert limit.value == pytest.approx(2.268, abs=5e-4)
    assert 2.2 < limit.ci[0] < limit.value < limit.ci[1] < 2.33
    assert limit.reason is None


def test_published_depth() -> None:
    found = published_depth()
    np.testing.assert_allclose(found.normalised, DEPTH_NORMALISED, atol=0.001)
    limit = found.limit_of_detection()  # as QUEL finds it: on the curve through all CNRs
    assert limit.value == pytest.approx(4.7, abs=0.05)
    assert 4.4 < limit.ci[0] < limit.value < limit.ci[1] < 5.0
    # Straight lines between the wells say something else.
    assert found.limit_of_detection(method="linear").value == pytest.approx(4.488, abs=1e-3)
    assert found.decay(high=4).slope_per_mm.value == pytest.approx(-0.958, abs=5e-4)
    assert found.decay(high=4).factor.value == pytest.approx(1.609, abs=2e-3)
    # The published fit takes the darkest well, not the control, as zero.
    fit = published_depth(control_mean=0.098709)
    np.testing.assert_allclose(fit.normalised, DEPTH_NORMALISED, atol=2e-6)
    assert fit.decay().slope_per_mm.value == pytest.approx(-0.958, abs=5e-4)
    assert fit.decay().factor.value == pytest.approx(1.609, abs=5e-4)
    assert fit.decay().slope_per_mm.ci[0] < -0.958 < fit.decay().slope_per_mm.ci[1]


def test_without_the_number_of_pixels() -> None:
    found = published_concentration(n=None)
    assert found.limit_of_detection().value == published_concentration().limit_of_detection().value
    for measured in (found.limit_of_detection(), *found.cnr, *found.levels, found.control, found.control_sd):
        assert math.isfinite(measured.value)
        assert math.isnan(measured.sigma)
        assert all(math.isnan(bound) for bound in measured.ci)
    # The fits keep the scatter of the wells, and lose the control's own error.
    for known, unknown in (
        (published_concentration().exponent(), found.exponent()),
        (published_depth().limit_of_detection(), published_depth(None).limit_of_detection()),
        (published_depth().decay().factor, published_depth(None).decay().factor),
    ):
        assert unknown.value == known.value
        assert 0.9 * known.sigma < unknown.sigma <= known.sigma


def test_bounds_lie_where_the_band_crosses() -> None:
    found = concentration({10: 12, 3: 5, 1: 1.5}, n=100)
    limit = found.limit_of_detection()
    z = 1.984217  # Student, 99 degrees of freedom
    for bound, side in zip(limit.ci, (1, -1), strict=True):
        share = (bound - 1) / 2  # both bounds lie between 1 and 3 nM
        level = 100 + 10 * ((1 - share) * 1.5 + share * 5)
        sigma = math.sqrt(((1 - share) ** 2 + share**2) + 1 + 9 / (2 * 99) * 100)
        assert level + side * z * sigma == pytest.approx(100 + 3 * 10, abs=1e-4)
    assert limit.value == pytest.approx(1 + 2 * 1.5 / 3.5)


@pytest.mark.parametrize(
    ("found", "ci"),
    [
        (concentration({10: 40, 3: 20, 1: 10}), (0, 1)),
        (concentration({10: 2, 3: 1, 1: 0.2}), (10, math.inf)),
        (depth({1: 40, 3: 20, 5: 10}), (5, math.inf)),
        (depth({1: 2, 3: 1, 5: 0.2}), (0, 1)),
        (concentration({10: 40, 3: 20, 1: 10}, n=None), (0, 1)),
        (depth({1: 2, 3: 1, 5: 0.2}, n=None), (0, 1)),
    ],
)
def test_outside_the_series(found: Series, ci: tuple[float, float]) -> None:
    limit = found.limit_of_detection(method="linear")
    assert math.isnan(limit.value)
    assert limit.reason == "outside_series"
    assert limit.ci == ci


def test_interval_that_leaves_the_series() -> None:
    # The weakest well lies over the threshold, but its band does not.
    limit = concentration({10: 12, 3: 5, 1: 3.05}, n=50).limit_of_detection()
    assert math.isnan(limit.value)
    assert limit.ci[0] == 0
    assert 1 < limit.ci[1] < 3
    # It lies just under: a limit, open below.
    limit = concentration({10: 12, 3: 5, 1: 2.95}, n=50).limit_of_detection()
    assert limit.value == pytest.approx(1 + 2 * 0.05 / 2.05)
    assert limit.ci[0] == 0
    # The strongest just reaches it: open above.
    limit = concentration({10: 3.05, 3: 1, 1: 0.3}, n=50).limit_of_detection()
    assert limit.ci[1] == math.inf
    assert 3 < limit.ci[0] < limit.value < 10
    limit = depth({1: 3.05, 3: 1, 5: 0.3}, n=50).limit_of_detection(method="linear")
    assert limit.ci[0] == 0
    assert 1 < limit.value < limit.ci[1] < 3


def test_exponential_limit_outside_the_series() -> None:
    z = np.array([1.0, 2.0, 3.0, 4.0])
    far = depth(dict(zip(z.tolist(), (100 * np.exp(-0.5 * z)).tolist(), strict=True))).limit_of_detection()
    assert (far.reason, far.ci[1]) == ("outside_series", math.inf)
    assert far.ci[0] <= 4
    near = depth(dict(zip(z.tolist(), (5 * np.exp(-0.9 * z)).tolist(), strict=True))).limit_of_detection()
    assert (near.reason, near.ci) == ("outside_series", (0.0, 1.0))
    nothing = depth({1: -0.3, 2: 0.2, 3: -0.1, 4: -0.2}).limit_of_detection()
    assert (nothing.reason, nothing.ci) == ("outside_series", (0.0, 1.0))
    rising = depth({1: 5, 2: 6, 3: 8, 4: 9})
    assert rising.limit_of_detection().reason == "no_signal"
    assert rising.decay().factor.reason == "no_signal"


def test_first_crossing_from_the_strong_side() -> None:
    # 10 nM falls below 3 and 3 nM rises over it again: what lies beyond the first gap does not count.
    found = concentration({100: 50, 30: 9, 10: 1, 3: 5, 1: 0.5})
    assert found.limit_of_detection().value == pytest.approx(10 + 20 * 2 / 8)
    assert found.usable() == (100, 30)
    found = depth({1: 50, 2: 9, 3: 1, 4: 5, 5: 0})
    assert found.limit_of_detection(method="linear").value == pytest.approx(2.75)
    # Meeting the threshold is enough.
    assert concentration({10: 9, 3: 3, 1: 3}).limit_of_detection().reason == "outside_series"
    assert concentration({10: 9, 3: 3, 1: 2}).limit_of_detection().value == pytest.approx(3)


def test_targets_at_or_below_the_control() -> None:
    found = concentration({100: 100, 30: 30, 10: 10, 3: -0.2, 1: 0.1})
    assert found.usable() == (100, 30, 10)
    assert found.exponent().value == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match="3 nM lies 2 below the control"):
        found.exponent(low=3)
    assert found.limit_of_detection().value == pytest.approx(3 + 7 * 3.2 / 10.2)  # the line runs on below the control
    assert min(found.normalised) == pytest.approx(-0.002)
    assert all(math.isnan(share) for share in concentration({3: -1, 1: -2}).normalised)


def test_too_few_targets_for_a_fit() -> None:
    assert concentration({10: 10, 3: 3.5, 1: 1}).exponent().reason == "too_few_cases"
    assert depth({1: 10, 2: 3.5}).decay().slope_per_mm.reason == "too_few_cases"
    assert depth({1: 10, 2: 3.5}).limit_of_detection().reason == "too_few_cases"


def test_control_without_scatter() -> None:
    wells = [Target(value, 100 + value, 1, 100) for value in (30.0, 10.0, 3.0)]
    found = series_from_summary(wells, Target(0, 100, 0, 100), quantity="concentration_nm")
    assert {cnr.reason for cnr in found.cnr} == {"background_not_resolved"}
    assert found.limit_of_detection().reason == "background_not_resolved"
    assert found.exponent().reason == "background_not_resolved"


@given(st.permutations(range(len(CONCENTRATION))), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_order_unit_and_offset_do_not_matter(order: list[int], gain: float, offset: float) -> None:
    expected = published_concentration()
    wells = [CONCENTRATION[i] for i in order]
    found = series_from_summary(
        [Target(value, gain * mean + offset, gain * sd, CONCENTRATION_N) for value, mean, sd, _ in wells],
        Target(0, gain * CONCENTRATION_CONTROL[1] + offset, gain * CONCENTRATION_CONTROL[2], CONCENTRATION_N),
        quantity="concentration_nm",
    )
    assert found.values == expected.values
    for ours, theirs in (
        (found.limit_of_detection(), expected.limit_of_detection()),
        (found.exponent(), expected.exponent()),
    ):
        assert (ours.value, ours.sigma, *ours.ci) == pytest.approx((theirs.value, theirs.sigma, *theirs.ci), rel=1e-6)


@given(st.floats(0.3, 2), st.floats(20, 500))
def test_exact_decay(rate: float, factor: float) -> None:
    z = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
    found = depth({x: factor * math.exp(-rate * x) for x in z})
    assert found.decay().slope_per_mm.value == pytest.approx(-rate, rel=1e-5)
    assert found.decay().factor.value == pytest.approx(math.exp(0.5 * rate), rel=1e-5)
    limit = math.log(factor / 3) / rate
    if 0.5 < limit < 6:
        assert found.limit_of_detection().value == pytest.approx(limit, rel=1e-5)


def wells_frame(side: int, levels: tuple[float, ...], seed: int) -> tuple[CalibratedFrame, list[npt.NDArray[np.bool_]]]:
    """Square wells in a row, the control last, with noise of a standard deviation of 5."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(levels, side)[np.newaxis, :].repeat(side, axis=0)
    frame = rng.normal(mean, 5).astype(np.float32)
    well = np.arange(frame.shape[1]) // side
    masks = [np.broadcast_to(well == i, frame.shape).copy() for i in range(len(levels))]
    return pyicg.calibrate(frame, CameraProfile.identity(frame.shape, bit_depth=None)), masks


def test_series_of_a_frame() -> None:
    cal, masks = wells_frame(20, (180.0, 130.0, 110.0, 100.0), seed=3)
    regions = dict(zip((1.0, 10.0, 3.0), (masks[2], masks[0], masks[1]), strict=True))  # in any order
    found = series(cal, regions=regions, control=masks[3])
    background = pyicg.estimate_background(cal, policy="mask", mask=masks[3])
    assert found.values == (10.0, 3.0, 1.0)
    assert (found.control.value, found.control_sd.value) == (background.level, background.sigma)
    for value, level, cnr in zip(found.values, found.levels, found.cnr, strict=True):
        pixels = cal.data[regions[value]].astype(np.float64)
        assert level.value == pytest.approx(pixels.mean(), rel=1e-9)
        assert cnr == pyicg.contrast(cal, signal=regions[value], background=background).cnr
    summary = series_from_summary(
        [Target(v, float(cal.data[r].mean(dtype=float)), float(cal.data[r].std(ddof=1, dtype=float)), 400)
         for v, r in regions.items()],
        Target(0, background.level, background.sigma, 400),
        quantity="concentration_nm",
    )  # fmt: skip
    ours, theirs = found.limit_of_detection(), summary.limit_of_detection()
    assert ours.value == pytest.approx(theirs.value, rel=1e-6)
    assert ours.reason == "uncalibrated"
    # The wells are even, so that the frame's interval is that of independent pixels.
    assert ours.sigma == pytest.approx(theirs.sigma, rel=0.25)


def test_saturated_target() -> None:
    frame = np.random.default_rng(5).integers(20, 30, (20, 80)).astype(np.uint8)
    well = np.arange(80) // 20
    masks = [np.broadcast_to(well == i, frame.shape).copy() for i in range(4)]
    frame[masks[0]] = 255
    frame[masks[1]] += 100
    frame[masks[2]] += 30
    cal = pyicg.calibrate(frame, CameraProfile.identity(frame.shape, bit_depth=8))
    found = series(cal, regions=dict(zip((100.0, 30.0, 10.0), masks[:3], strict=True)), control=masks[3])
    assert found.levels[0].reason == "saturated_lower_bound"
    assert found.usable() == (30.0, 10.0)
    with pytest.raises(ValueError, match="100 is saturated"):
        found.exponent(low=10)
    # A crossing next to the saturated well cannot be placed; one further on can.
    assert found.limit_of_detection(threshold=50).reason == "saturated_lower_bound"
    assert 10 < found.limit_of_detection(threshold=20).value < 30
    assert found.limit_of_detection(threshold=500).reason == "saturated_lower_bound"


def test_target_without_pixels() -> None:
    cal, masks = wells_frame(10, (180.0, 130.0, 100.0), seed=4)
    masks[1][:] = False
    found = series(cal, regions={10.0: masks[0], 3.0: masks[1]}, control=masks[2])
    assert found.levels[1].reason == "too_few_pixels"
    assert found.limit_of_detection().reason == "too_few_pixels"
    found = series(cal, regions={10.0: masks[0], 3.0: masks[2]}, control=masks[1])
    assert found.limit_of_detection().reason == "too_few_pixels"


def test_series_refuses() -> None:
    cal, masks = wells_frame(10, (180.0, 130.0, 100.0), seed=4)
    overlap = masks[1].copy()
    overlap[0, 20:22] = True
    with pytest.raises(ValueError, match="regions control, 3 share 2 pixels"):
        series(cal, regions={10.0: masks[0], 3.0: overlap}, control=masks[2])
    with pytest.raises(ValueError, match="bool"):
        series(cal, regions={10.0: masks[0].astype(int), 3.0: masks[1]}, control=masks[2])
    with pytest.raises(ValueError, match="at least 2"):
        series(cal, regions={10.0: masks[0]}, control=masks[2])
    with pytest.raises(ValueError, match="nM above 0"):
        series(cal, regions={10.0: masks[0], 0.0: masks[1]}, control=masks[2])
    with pytest.raises(ValueError, match="'depth_mm'"):
        series(cal, regions={10.0: masks[0], 3.0: masks[1]}, control=masks[2], quantity="nM")  # type: ignore[arg-type]
    keys: tuple[Any, ...] = ("10", True, None)
    for key in keys:
        with pytest.raises(InputError, match=rf"the value {key!r}, expected nM above 0, as a number"):
            series(cal, regions={3.0: masks[0], key: masks[1]}, control=masks[2])


@pytest.mark.parametrize(
    ("targets", "control", "message"),
    [
        ([Target(1, math.nan, 1), Target(2, 3, 1)], Target(0, 1, 1), "finite mean"),
        ([Target(1, 2, -1), Target(2, 3, 1)], Target(0, 1, 1), "0 or more"),
        ([Target(1, 2, 1, 1), Target(2, 3, 1)], Target(0, 1, 1), "fewer than 2 pixels"),
        ([Target(1, 2, 1), Target(1, 3, 1)], Target(0, 1, 1), "same value"),
        ([Target(1, 2, 1), Target(-2, 3, 1)], Target(0, 1, 1), "0 or more mm"),
        ([Target(1, 2, 1), Target(math.inf, 3, 1)], Target(0, 1, 1), "0 or more mm"),
        ([Target(1, 2, 1), Target(2, 3, 1)], Target(0, 1, math.inf), "finite mean"),
    ],
)
def test_series_from_summary_refuses(targets: list[Target], control: Target, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        series_from_summary(targets, control, quantity="depth_mm")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": 10.5}, r"n=10\.5; expected a whole number of pixels, 2 or more"),
        ({"n": 10.0}, r"n=10\.0; expected a whole number"),
        ({"n": True}, "n=True; expected a whole number"),
        ({"n": "10"}, "n='10'; expected a whole number"),
        ({"mean": "3"}, "needs a finite mean .* both numbers"),
        ({"sd": None}, "needs a finite mean .* both numbers"),
        ({"value": "3"}, "the value '3', expected 0 or more mm, as a number"),
        ({"value": [3]}, r"the value \[3\], expected 0 or more mm"),
    ],
)
def test_target_of_another_kind(changed: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"value": 3.0, "mean": 5.0, "sd": 1.0, "n": 10}
    with pytest.raises(InputError, match=message):
        series_from_summary([Target(1, 9, 1, 10), Target(**fields | changed)], Target(0, 1, 1), quantity="depth_mm")
    if "value" not in changed:
        wells = [Target(1, 9, 1, 10), Target(2, 5, 1, 10)]
        with pytest.raises(InputError, match=message):
            series_from_summary(wells, Target(**fields | changed), quantity="depth_mm")


def test_number_of_pixels_from_numpy() -> None:
    n: Any = np.int32(10)
    wells = [Target(1, 9, 1, n), Target(2, 5, 1, n)]
    found = series_from_summary(wells, Target(0, 1, 1, n), quantity="depth_mm")
    assert found.levels[0].sigma == pytest.approx(1 / math.sqrt(10), rel=1e-12)


def test_figures_of_the_other_quantity_are_refused() -> None:
    with pytest.raises(ValueError, match="use decay"):
        published_depth().exponent()
    with pytest.raises(ValueError, match="use exponent"):
        published_concentration().decay()
    with pytest.raises(ValueError, match="for depths"):
        published_concentration().limit_of_detection(method="exponential")
    with pytest.raises(ValueError, match="expected 'linear'"):
        published_depth().limit_of_detection(method="cubic")  # type: ignore[arg-type]
    for threshold in (0.0, -3.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="above 0"):
            published_depth().limit_of_detection(threshold)


def drawn(rng: np.random.Generator, value: float, cnr: float, n: int = 100) -> Target:
    """Mean and standard deviation that n pixels about a CNR would give."""
    mean = 100 + 10 * cnr + rng.normal(0, 10 / math.sqrt(n))
    return Target(value, mean, 10 * math.sqrt(rng.chisquare(n - 1) / (n - 1)), n)


def linear_case(rng: np.random.Generator) -> tuple[Measurement, float]:
    wells = [drawn(rng, value, 1.5 * value) for value in (10.0, 3.0, 1.0)]
    found = series_from_summary(wells, drawn(rng, 0.0, 0.0), quantity="concentration_nm")
    return found.limit_of_detection(), 2.0


def exponent_case(rng: np.random.Generator) -> tuple[Measurement, float]:
    wells = [drawn(rng, x, 6 * x**0.95 * math.exp(rng.normal(0, 0.05))) for x in (1000.0, 300, 100, 60, 30, 10, 3)]
    return series_from_summary(wells, drawn(rng, 0.0, 0.0), quantity="concentration_nm").exponent(), 0.95


def exponential_case(rng: np.random.Generator) -> tuple[Measurement, float]:
    wells = [drawn(rng, z, 280 * math.exp(-0.96 * z) + rng.normal(0, 1)) for z in (0.5, 1.0, 1.5, 2, 3, 4, 5, 6)]
    found = series_from_summary(wells, drawn(rng, 0.0, 0.0), quantity="depth_mm")
    return found.limit_of_detection(), math.log(280 / 3) / 0.96


def slope_case(rng: np.random.Generator) -> tuple[Measurement, float]:
    wells = [drawn(rng, z, 280 * math.exp(-0.96 * z) + rng.normal(0, 1)) for z in (0.5, 1.0, 1.5, 2, 3, 4, 5, 6)]
    return series_from_summary(wells, drawn(rng, 0.0, 0.0), quantity="depth_mm").decay().slope_per_mm, -0.96


@pytest.mark.parametrize("case", [linear_case, exponent_case, exponential_case, slope_case])
def test_coverage(case: Callable[[np.random.Generator], tuple[Measurement, float]]) -> None:
    # A fixed slice of bench/validation/detection.py.
    rng = np.random.default_rng(20)
    covered = []
    for _ in range(600):
        found, truth = case(rng)
        covered.append(found.ci[0] <= truth <= found.ci[1])
    assert 0.92 <= np.mean(covered) <= 0.98
