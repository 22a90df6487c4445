"""Result objects: frozen, honest about what is undefined, and JSON without NaN."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyicg import Measurement, results
from pyicg.results import HotSpot, Quality, to_plain

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def test_undefined_is_nan_with_its_reason() -> None:
    m = Measurement.undefined("no_lesion")
    assert all(math.isnan(value) for value in (m.value, m.sigma, *m.ci, float(m)))
    assert m.reason == "no_lesion"
    assert str(m) == "undefined (no_lesion)"


@pytest.mark.parametrize(
    ("m", "text"),
    [
        (Measurement(3.14159, 0.1, (2.5, 4.0)), "3.142 [2.5, 4]"),
        (Measurement(2.0), "2"),
        (Measurement(9.0, 1.0, (7.0, math.inf), "saturated_lower_bound"), "9 [7, inf] (saturated_lower_bound)"),
    ],
)
def test_text(m: Measurement, text: str) -> None:
    assert str(m) == text


@given(FINITE, FINITE, FINITE, FINITE, st.floats(1e-3, 1e3))
def test_scaled(value: float, sigma: float, lo: float, hi: float, factor: float) -> None:
    m = Measurement(value, sigma, (lo, hi), "uncalibrated").scaled(factor)
    assert m == Measurement(value * factor, sigma * factor, (lo * factor, hi * factor), "uncalibrated")


def test_measurements_that_are_equal() -> None:
    nan = float("nan")  # another object than math.nan
    undefined = Measurement.undefined("no_lesion")
    assert undefined == Measurement(nan, nan, (nan, nan), "no_lesion")
    assert hash(undefined) == hash(Measurement(nan, nan, (nan, nan), "no_lesion"))
    assert Measurement(1.0, nan) == Measurement(1.0)
    others = [Measurement(1.0), Measurement(2.0), Measurement(1.0, 0.1), Measurement(1.0, ci=(0.5, 2.0)),
              Measurement(1.0, reason="no_lesion"), Measurement.undefined("no_plane"), undefined]  # fmt: skip
    assert len(set(others)) == len(others)
    assert all((a == b) is (i == j) for i, a in enumerate(others) for j, b in enumerate(others))
    assert Measurement(1.0) != 1.0


def test_every_result_is_frozen_and_every_one_is_exported() -> None:
    for name in results.__all__:
        if name == "to_plain":
            continue
        kind = getattr(results, name)
        assert is_dataclass(kind)
        one = object.__new__(kind)
        for f in fields(kind):
            with pytest.raises(FrozenInstanceError):
                setattr(one, f.name, 1)
    kinds = {n for n, v in vars(results).items() if is_dataclass(v)}
    assert kinds == set(results.__all__) - {"to_plain"}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.floats(0, 3), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(PLAIN)
def test_plain_is_json(value: Any) -> None:
    plain = to_plain(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_plain_keeps_the_numbers() -> None:
    spot = HotSpot(1, 2.5, (3.0, 4.0), 7.0, Measurement.undefined("no_pixel_size"))
    undefined = {"value": None, "sigma": None, "ci": [None, None], "reason": "no_pixel_size"}
    assert to_plain(spot) == {
        "rank": 1,
        "peak_sbr": 2.5,
        "peak_position": [3.0, 4.0],
        "area_px": 7.0,
        "area_mm2": undefined,
    }
    quality = Quality(np.float64(0.25), 0.0, np.int64(3), 0, math.inf, np.bool_(True), 0.5, math.nan)  # type: ignore[arg-type]
    assert to_plain(quality) == {
        "saturated_fraction": 0.25,
        "underflow_fraction": 0.0,
        "bad_pixels": 3,
        "repaired_pixels": 0,
        "focus": None,
        "calibrated": True,
        "isotropy": 0.5,
        "glare_fraction": None,
    }
    assert to_plain(np.array([[1.5, math.nan], [-math.inf, 2.0]])) == [[1.5, None], [None, 2.0]]
    assert to_plain({1.5: True, 2.0: None}) == {"1.5": True, "2.0": None}
