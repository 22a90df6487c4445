"""What must not change a background: turns, units, strides. And what is refused at the door."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import Background, InputError, UnitError
from pyicg.background import POLICIES

from .lesion_scenes import LEVEL, estimate, lesion_scene
from .oracles import F32, calibrated

TURNS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "upside down": lambda a: a[::-1].copy(),
    "mirrored": lambda a: a[:, ::-1].copy(),
    "rotated": lambda a: np.rot90(a).copy(),
    "transposed": lambda a: a.T.copy(),
}


def numbers(bg: Background) -> list[float]:
    assert bg.budget is not None
    budget = bg.budget
    return [bg.level, bg.sigma, bg.sem, bg.sigma_error, budget.sampling, budget.heterogeneity]


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 90)])
def test_thin_frames(shape: tuple[int, int]) -> None:
    data = np.random.default_rng(5).normal(LEVEL, 1, shape)
    cal = calibrated(data)
    signal = np.zeros(shape, bool)
    signal[0, 0] = True
    for policy in POLICIES:
        bg = estimate(cal, policy, signal)
        if shape == (1, 1) or policy in ("annulus", "surface"):  # a surface needs two directions, the ring 5 pixels
            assert bg.reason == "too_few_pixels"
            assert math.isnan(bg.level)
        else:
            assert bg.reason is None
            assert bg.level == pytest.approx(LEVEL, abs=2.0)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sigma", [0.3, 3.0, 15.0, 40.0])
@pytest.mark.parametrize("shape", [(60, 60), (53, 97), (300, 410)])
def test_turned_frames_have_the_same_background(policy: str, turn: str, sigma: float, shape: tuple[int, int]) -> None:
    for seed in range(3 if shape[0] < 100 else 1):
        data, signal = lesion_scene(seed, sigma, shape)
        variance = (np.full(shape, sigma**2) * np.linspace(0.8, 1.0, shape[1])).astype(F32)
        reference = estimate(calibrated(data, variance=variance), policy, signal)
        move = TURNS[turn]
        found = estimate(calibrated(move(data), variance=move(variance)), policy, move(signal))
        np.testing.assert_allclose(numbers(found), numbers(reference), rtol=1e-9, atol=1e-9 * reference.sem)
        np.testing.assert_allclose((found.n_pixels, found.dof), (reference.n_pixels, reference.dof), rtol=1e-9)
        assert found.reason == reference.reason


@pytest.mark.parametrize("policy", ["median", "percentile"])
def test_order_statistics_know_no_place(policy: str) -> None:
    data, _ = lesion_scene(7, 5.0, (40, 50))
    reference = pyicg.estimate_background(calibrated(data), policy=policy)
    for shift in ((3, 0), (0, 17), (29, 31)):
        found = pyicg.estimate_background(calibrated(np.roll(data, shift, (0, 1))), policy=policy)
        assert (found.level, found.sigma, found.n_pixels) == (reference.level, reference.sigma, reference.n_pixels)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sigma", [0.3, 5.0, 30.0])
def test_no_unit_matters(policy: str, sigma: float) -> None:
    data, signal = lesion_scene(8, sigma, (60, 80))
    variance = np.full(data.shape, sigma**2, F32)

    def scaled(factor: float) -> Background:
        k = F32(factor)
        cal = calibrated(data * k, variance=variance * k * k, step=0.01 * factor)
        return estimate(cal, policy, signal)

    reference = scaled(1.0)
    for factor in (2.0**-9, 2.0**6):
        found = scaled(factor)
        assert [value / factor for value in numbers(found)] == numbers(reference)
        assert (found.n_pixels, found.dof, found.reason) == (reference.n_pixels, reference.dof, reference.reason)
    for factor in (1e-6, 0.3, 7.7e5):
        values = np.array(numbers(scaled(factor))) / factor
        np.testing.assert_allclose(values[:3], numbers(reference)[:3], rtol=2e-6)
        # A small part of the budget is what two rounded variances differ by.
        np.testing.assert_allclose(values[3:], numbers(reference)[3:], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("policy", POLICIES)
def test_strided_and_read_only_arrays_are_taken_as_they_are(policy: str) -> None:
    data, signal = lesion_scene(2, 5.0, (60, 80))
    expected = estimate(calibrated(data), policy, signal)
    for wrap in (lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a[::-1].copy()[::-1]):
        cal = calibrated(data)
        cal = replace(cal, data=wrap(data), mask=wrap(cal.mask))
        cal.data.flags.writeable = cal.mask.flags.writeable = False
        strided = wrap(signal)
        strided.flags.writeable = False
        assert estimate(cal, policy, strided) == expected
        np.testing.assert_array_equal(cal.data, data)


MASKS: list[Any] = [
    np.ones((40, 40), np.uint8),
    np.ones((40, 40)),
    np.ones((40, 50), bool),
    np.ones((40, 80), bool)[:, ::2],
    np.asfortranarray(np.eye(40, dtype=bool)),
    np.ones((1, 40, 40), bool),
    [[True] * 40] * 40,
    "mask",
]


@pytest.mark.parametrize("bad", MASKS)
def test_wrong_masks_are_refused(bad: Any) -> None:
    cal = calibrated(np.random.default_rng(0).normal(LEVEL, 1, (40, 40)))
    signal = np.zeros((40, 40), bool)
    signal[10:20, 10:20] = True
    for name in ("mask", "exclude", "signal"):
        for policy in ("mode", "mask", "annulus"):
            options = {"mask": ~signal, "signal": signal, name: bad}
            with pytest.raises(InputError, match=r"mask|exclude|signal"):
                pyicg.estimate_background(cal, policy=policy, **options)
    with pytest.raises(InputError, match="exclude"):
        pyicg.background_surface(cal, exclude=bad)
    surface = pyicg.background_surface(cal)
    with pytest.raises(InputError):
        surface.under(bad)
    with pytest.raises(InputError, match="signal"):
        pyicg.estimate_background(cal, policy="surface", signal=bad)


def test_policy_must_be_known_and_complete() -> None:
    cal = calibrated(np.random.default_rng(0).normal(LEVEL, 1, (40, 40)))
    nothing, everything = np.zeros((40, 40), bool), np.ones((40, 40), bool)
    with pytest.raises(InputError, match=r"unknown background policy 'median5'; expected one of mode"):
        pyicg.estimate_background(cal, policy="median5")
    with pytest.raises(InputError, match="needs a mask"):
        pyicg.estimate_background(cal, policy="mask")
    for policy in ("annulus", "distant", "surface"):
        with pytest.raises(InputError, match=r"needs? signal"):
            pyicg.estimate_background(cal, policy=policy)
        with pytest.raises(InputError, match="no pixel"):
            pyicg.estimate_background(cal, policy=policy, signal=nothing)
    for policy in ("annulus", "distant"):
        assert pyicg.estimate_background(cal, policy=policy, signal=everything).reason == "too_few_pixels"
    signal = np.eye(40, dtype=bool)
    for policy in POLICIES:
        with pytest.raises(InputError, match="expected a CalibratedFrame, found ndarray"):
            pyicg.estimate_background(cal.data, policy=policy, signal=signal, mask=signal)
    with pytest.raises(InputError, match="expected a CalibratedFrame, found ndarray"):
        pyicg.sensitivity_table(cal.data, signal=signal)


@pytest.mark.parametrize("policy", ["annulus", "distant", "surface"])
@pytest.mark.parametrize("guard", [-1.0, math.nan])
def test_guards_that_are_no_lengths(policy: str, guard: float) -> None:
    signal = np.zeros((40, 40), bool)
    signal[10:20, 10:20] = True
    cal = calibrated(np.full((40, 40), LEVEL))
    with pytest.raises(UnitError, match="guard_px"):
        pyicg.estimate_background(cal, policy=policy, signal=signal, guard_px=guard)
    for width in (0.0, -2.0, math.nan):
        with pytest.raises(UnitError, match="width_px"):
            pyicg.estimate_background(cal, policy=policy, signal=signal, width_px=width)


@pytest.mark.parametrize("order", [-1, 4, True, 2.0, "2", None])
def test_order_of_a_surface(order: Any) -> None:
    with pytest.raises(InputError, match="0 to 3, found"):
        pyicg.background_surface(calibrated(np.full((40, 40), LEVEL)), order=order)
