"""The C interface, through its Cython declarations: the same digits as the Python layer over the same core."""

from __future__ import annotations

import ctypes
import math
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import _capi, _core

REPO = Path(__file__).resolve().parents[2]
HEADER = REPO / "src/cpp/include/pyicg/pyicg.h"
PXD = REPO / "src/pyicg/capi.pxd"
SHAPE = (120, 150)


def annulus_frame(seed: int, *, rim: float = 3.0, dtype: str = "uint16") -> npt.NDArray[Any]:
    """A rim of SBR `rim` around a core of 0.8, with shot noise, an offset of 64 DN and one bright spot."""
    y, x = np.indices(SHAPE)
    r = np.hypot(y - 62.4, x - 70.7)
    signal = np.ones(SHAPE)
    signal[r < 34] = rim
    signal[r < 20] = 0.8
    signal[(np.abs(y - 14) < 6) & (np.abs(x - 130) < 6)] = 2.2
    counts = 64 + np.random.default_rng(seed).poisson(400 * signal)
    return (counts // 8 if dtype == "uint8" else counts).astype(dtype)


def profile_maps(offset_dn: float) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    flat = (1 + 0.1 * rng.uniform(-1, 1, SHAPE)).astype(np.float32)
    bad = rng.uniform(size=SHAPE) < 0.002
    return {
        "dark": rng.normal(offset_dn, 0.5, SHAPE).astype(np.float32),
        "dark_rate": rng.normal(0.1, 0.02, SHAPE).astype(np.float32),
        "dark_sigma": np.full(SHAPE, 0.2, np.float32),
        "flat": flat,
        "flat_sigma": np.full(SHAPE, 0.003, np.float32),
        "bad": bad,
        "read_noise_map": rng.uniform(1, 3, SHAPE).astype(np.float32),
        "gain_map": rng.uniform(0.3, 0.5, SHAPE).astype(np.float32),
    }


def both_scorers(
    view: str, dtype: str, *, pixel_size_mm: float | None, bent: bool = False
) -> tuple[pyicg.Scorer, _capi.Scorer]:
    maps = profile_maps(8.0 if dtype == "uint8" else 64.0)
    numbers: dict[str, Any] = {
        "saturation_dn": 4000.0, "exposure_ms": 20.0, "gain_db": 3.0, "gain_dn_per_e": 0.4, "read_noise_dn": 2.0,
        "response_nm_per_dn_ms": 0.7, "calibrated": True,
    }  # fmt: skip
    nodes = (0.0, 1000.0, 2020.0, 3090.0, 4200.0)
    if bent:
        numbers |= {"linearity_step_dn": 1000.0}
    else:
        numbers |= {"linearity": (1.01, 1e-6, 0.0)}
    profile = pyicg.CameraProfile(
        camera="test", shape=SHAPE, bit_depth=12, exposure_range_ms=(1.0, 100.0), dark_exposures_ms=(15.0, 5.0),
        linearity_table=nodes if bent else None, **numbers, **maps,
    )  # fmt: skip
    through_c = _capi.Scorer(
        *SHAPE, exposure_min_ms=1.0, exposure_max_ms=100.0, dark_mean_exposure_ms=15.0, dark_exposure_sd_ms=5.0,
        linearity_table=np.array(nodes) if bent else None, view=view,
        pixel_size_mm=math.nan if pixel_size_mm is None else pixel_size_mm,
        **numbers, **(maps | {"bad": maps["bad"].view(np.uint8)}),
    )  # fmt: skip
    return pyicg.Scorer(profile, shape=SHAPE, dtype=dtype, view=view, pixel_size_mm=pixel_size_mm), through_c


def plain_scorer(shape: tuple[int, int] = SHAPE, **options: Any) -> _capi.Scorer:
    return _capi.Scorer(*shape, **{"saturation_dn": 65535.0, "exposure_ms": 10.0, "calibrated": True} | options)


def same(found: dict[str, Any], expected: pyicg.Measurement) -> None:
    numbers = [found[name] for name in ("value", "sigma", "lo", "hi")]
    np.testing.assert_array_equal(numbers, [expected.value, expected.sigma, *expected.ci])
    reason = _capi.reason_strings()[found["reason"]]
    assert (None if reason == "none" else reason) == expected.reason


@pytest.mark.parametrize("view", ["bed", "section"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(("pixel_size_mm", "bent"), [(None, False), (0.15, True)])
def test_same_digits_as_python(view: str, dtype: str, pixel_size_mm: float | None, bent: bool) -> None:
    python, through_c = both_scorers(view, dtype, pixel_size_mm=pixel_size_mm, bent=bent)
    frame = annulus_frame(1, dtype=dtype)
    expected = python.score(frame, exposure_ms=25.0, gain_db=6.0)
    found = through_c.score(frame, 25.0, 6.0)

    for name in ("sbr", "sbr_raw", "weber", "michelson", "cnr", "cvr", "signal_level"):
        same(found[name], getattr(expected.contrast, name))
    same(found["background"], expected.contrast.background_level)
    assert found["background_level"] == expected.background.level
    assert found["background_sigma"] == expected.background.sigma
    words: dict[int, bool | None] = {0: False, 1: True, 2: None}
    signs = [words[found[name]] for name in ("sign", "sign_at_150", "sign_at_175", "sign_at_200")]
    assert signs == [expected.fluorescent, *expected.sign_at.values()]
    np.testing.assert_array_equal(found["residual_area_px"], expected.residual_area_px)
    same(found["residual_area_mm2"], expected.residual_area_mm2)
    for name in (
        "saturated_fraction",
        "underflow_fraction",
        "focus",
        "bad_pixels",
        "repaired_pixels",
        "isotropy",
        "glare_fraction",
    ):
        assert found[name] == getattr(expected.quality, name)
    assert found["repaired_pixels"] == profile_maps(0.0)["bad"].sum() > 0
    assert found["calibrated"] == 1
    assert tuple(_capi.reason_strings()[reason] for reason in found["reasons"]) == expected.reasons
    assert found["n_hot_spots"] == len(expected.hot_spots)

    lesions = through_c.lesions()
    assert found["n_lesions"] == len(lesions) == len(expected.lesions) == 1
    for index, (lesion, truth) in enumerate(zip(lesions, expected.lesions, strict=True)):
        assert (lesion["centroid_y"], lesion["centroid_x"]) == truth.centroid
        for name in ("area_px", "completeness", "confidence", "correlation_px"):
            assert lesion[name] == getattr(truth, name)
        same(lesion["area_mm2"], truth.area_mm2)
        same(lesion["thickness_px"], truth.thickness)
        same(lesion["thickness_mm"], truth.thickness_mm)
        same(lesion["sbr"], truth.sbr)
        inner, outer = through_c.contours(index)
        np.testing.assert_array_equal(inner, truth.inner_contour)
        np.testing.assert_array_equal(outer, truth.outer_contour)
        assert len(inner) == lesion["n_vertices"]


def test_without_lesions_and_by_threads() -> None:
    frame = annulus_frame(3)
    whole, bare = (plain_scorer(lesions=wanted, threads=threads) for wanted, threads in ((True, 1), (False, 2)))
    expected, found = whole.score(frame), bare.score(frame)
    assert (len(whole.lesions()), len(bare.lesions())) == (1, 0)
    assert _capi.reason_strings()[found["reasons"][-1]] == "lesions_not_sought"
    expected |= {"n_lesions": 0, "reasons": [*expected["reasons"], found["reasons"][-1]]}
    assert repr(found) == repr(expected | {"n_reasons": found["n_reasons"]})


def test_numbers_of_a_known_frame() -> None:
    scorer = plain_scorer(view="section", pixel_size_mm=0.1)
    found = scorer.score(annulus_frame(2) - 64)
    assert found["background_level"] == pytest.approx(40.0, rel=2e-3)
    assert found["sbr"]["value"] == pytest.approx(3.0, rel=0.01)
    assert found["sbr"]["lo"] < found["sbr"]["value"] < found["sbr"]["hi"]
    (lesion,) = scorer.lesions()
    assert lesion["area_mm2"]["value"] == pytest.approx(math.pi * 2.0**2, rel=0.02)
    assert lesion["thickness_mm"]["value"] == pytest.approx(1.4, abs=0.05)
    inner, outer = scorer.contours(0)
    centre = np.array([62.4, 70.7])
    np.testing.assert_allclose(np.linalg.norm(inner - centre, axis=1), 20.0, atol=0.8)
    np.testing.assert_allclose(np.linalg.norm(outer - centre, axis=1), 34.0, atol=0.8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_any_row_stride_same_bits(dtype: str) -> None:
    frame = annulus_frame(3, dtype=dtype)
    scorer = plain_scorer()
    expected = str(scorer.score(frame))
    padded = np.zeros((2 * SHAPE[0], SHAPE[1] + 9), dtype)
    padded[::2, 4:-5] = frame
    upside_down = np.ascontiguousarray(frame[::-1])
    read_only = frame.copy()
    read_only.setflags(write=False)
    pixel = {"uint8": ctypes.c_uint8, "uint16": ctypes.c_uint16, "float32": ctypes.c_float}[dtype]
    camera = (pixel * SHAPE[1] * SHAPE[0]).from_buffer_copy(frame)  # names its byte order: "<H"
    for view in (padded[::2, 4:-5], upside_down[::-1], read_only, frame.data, camera):
        assert str(scorer.score(view)) == expected
    np.testing.assert_array_equal(frame, annulus_frame(3, dtype=dtype))


def test_small_frames() -> None:
    for shape in [(1, 1), (1, 40), (40, 1)]:
        found = plain_scorer(shape).score(np.full(shape, 100, np.uint8))
        if shape == (1, 1):
            assert math.isnan(found["background_level"])
            assert _capi.reason_strings()[found["background"]["reason"]] == "too_few_pixels"
        else:
            assert found["background_level"] == pytest.approx(10.0)


def test_refusals() -> None:
    frame = annulus_frame(4)
    scorer = plain_scorer()
    with pytest.raises(pyicg.InputError, match=r"\(119, 150\), expected \(120, 150\)"):
        scorer.score(frame[:-1])
    with pytest.raises(pyicg.InputError, match="columns must lie side by side"):
        scorer.score(np.zeros((SHAPE[0], 2 * SHAPE[1]), np.uint16)[:, ::2])
    for wrong in (frame.astype(np.float64), frame.astype(">u2"), frame.astype(np.int16)):
        with pytest.raises(pyicg.InputError, match="native order"):
            scorer.score(wrong)
    with pytest.raises(pyicg.InputError, match="two axes"):
        scorer.score(frame[None])
    with pytest.raises(TypeError):
        scorer.score(frame.tolist())
    with pytest.raises(pyicg.UnitError, match="exposure_ms"):
        scorer.score(frame, 0.0)
    with pytest.raises(IndexError):
        scorer.contours(0)  # the last score failed: nothing is left to read
    assert scorer.lesions() == []
    with pytest.raises(pyicg.UnitError, match="pixel_size_mm"):
        plain_scorer(pixel_size_mm=0.0)
    with pytest.raises(pyicg.InputError, match="sbr_cut"):
        plain_scorer(sbr_cut=1.0)
    for view in ("front", 3, None, []):
        with pytest.raises(pyicg.InputError, match="view must be"):
            plain_scorer(view=view)
    with pytest.raises(pyicg.ProfileError, match="height"):
        plain_scorer((0, 5))
    with pytest.raises(pyicg.ProfileError, match="dark map"):
        plain_scorer(dark=np.zeros((3, 3), np.float32))
    with pytest.raises(pyicg.ProfileError, match="flat is 0 at index 0, expected over 0"):
        plain_scorer(flat=np.zeros(SHAPE, np.float32))
    for name in ("dark_rate", "dark_sigma", "flat_sigma", "read_noise_map", "gain_map"):
        with pytest.raises(pyicg.ProfileError, match=f"{name} map: found shape"):
            plain_scorer(**{name: np.ones((3, 3), np.float32)})
        with pytest.raises(pyicg.ProfileError, match=f"{name} is nan at index 0"):
            plain_scorer(**{name: np.full(SHAPE, np.nan, np.float32)})
    with pytest.raises(pyicg.ProfileError, match="linearity_step_dn is nan"):
        plain_scorer(linearity_table=np.array([0.0, 1.0]))
    with pytest.raises(pyicg.ProfileError, match="table is empty"):
        plain_scorer(linearity_table=np.zeros(0), linearity_step_dn=1.0)
    with pytest.raises(pyicg.ProfileError, match="response_nm_per_dn_ms is 0"):
        plain_scorer(response_nm_per_dn_ms=0.0)


def test_threads_wait_for_each_other() -> None:
    frames = [annulus_frame(seed, rim=2.0 + seed) for seed in range(4)]
    scorer = plain_scorer()
    expected = [str(scorer.score(frame)) for frame in frames]
    found: dict[int, str] = {}

    def work(index: int) -> None:
        found[index] = str(scorer.score(frames[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[index] for index in range(4)] == expected


def test_words() -> None:
    assert _capi.reason_strings() == _core.reason_names()
    assert _capi.status_strings() == (
        "ok", "truncated", "error_argument", "error_input", "error_profile", "error_unit", "error_memory",
        "error_internal", "error_busy",
    )  # fmt: skip
    assert _capi.version_string() == _core.version() == pyicg.__version__
    assert _capi.abi_version() == 1


def declared(text: str) -> dict[str, set[str]]:
    """Functions, types and constants that a header or its pxd declares."""
    code = re.sub(r"/\*.*?\*/|#.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    names = set(re.findall(r"\bpyicg_\w+", code))
    functions = set(re.findall(r"\b(pyicg_\w+)\s*\(", code))
    return {
        "functions": functions,
        "types": names - functions,
        "constants": set(re.findall(r"\bPYICG_(?:OK|TRUNCATED|ERROR|REASON|MASK|PIXEL|VIEW|SIGN|LOG)\w*", code)),
    }


def test_pxd_declares_the_whole_header() -> None:
    header, pxd = declared(HEADER.read_text()), declared(PXD.read_text())
    assert len(header["functions"]) == 21
    assert pxd == header


def test_reasons_of_the_header_are_the_words() -> None:
    listed = re.findall(r"PYICG_REASON_(\w+) = (\d+)", HEADER.read_text())
    assert tuple(name.lower() for name, _ in listed) == _capi.reason_strings()
    assert [int(value) for _, value in listed] == list(range(len(listed)))
