"""What the report says in words: reason codes as sentences, numbers as text."""

from __future__ import annotations

import math

from pyicg.results import MarginStatus, Measurement

__all__ = [
    "RESEARCH_ONLY",
    "SENTENCES",
    "SHOWN_HOT_SPOTS",
    "chance",
    "digits",
    "interval",
    "measurement",
    "number",
    "percent",
    "sentence",
    "unit_in_words",
    "value",
]

RESEARCH_ONLY = "Research software, not a medical device. Not for diagnosis or treatment decisions."
SHOWN_HOT_SPOTS = 12  # numbered in the picture and listed in the table alike

SENTENCES = {
    "no_pixel_size": "The pixel size is unknown, so nothing can be given in millimetres.",
    "no_prevalence": "No prevalence of R1 was given, so the fluorescent sign cannot be turned into a probability.",
    "background_not_resolved": "The background level could not be separated from zero or from the signal.",
    "saturated_lower_bound": "Saturated pixels: the true value is at least as large as the one shown.",
    "uncalibrated": "No camera calibration stands behind these numbers.",
    "out_of_range": "The frame lies outside the range in which the camera profile was measured.",
    "too_few_pixels": "Too few usable pixels for this number.",
    "no_lesion": "No lesion was found.",
    "no_signal": "There is no signal region to compare with the background.",
    "no_sign": "It is not known whether the resection bed fluoresces.",
    "no_distance": "The distance or its uncertainty is unknown.",
    "no_plane": "No resection plane was given, so no distance was measured.",
    "slice_too_thick": "The slices are thick, or only one shows the lesion: between slices the tumour may come closer.",
    "extrapolated": "The closest point lies outside the area in which the plane was measured.",
    "not_star_shaped": "The outline cannot be followed from a single centre, so the boundary is approximate.",
    "clipped_by_border": "The region is cut off by the border of the image.",
    "no_enclosed_core": "A bright region encloses no dark core, so it is not a rim.",
    "below_min_area": "The region is smaller than the smallest area that counts.",
    "straddles_threshold": "The 95 % interval lies on both sides of the decision threshold.",
    "saturated": "Pixels in the region that decides are saturated.",
    "no_exposure": "The exposure time is unknown, so signals are in counts and not per millisecond.",
    "not_finite": "The data contain values that are not finite numbers.",
    "plane_unverified": "The error of the plane itself is unknown, so the interval does not contain it.",
    "plane_not_flat": "The points of the resection plane do not lie on one flat plane.",
    "no_photons": "The number of photons was not given.",
    "no_exposures": "The exposure times were not given.",
    "no_spatial_series": "No series of frames for the spatial figures was given.",
    "not_saturated": "The brightest light level does not reach saturation.",
    "too_few_cases": "Too few cases for this number.",
    "empty_field_left_out": "A dark, empty field covers much of the frame; the background is that of the rest.",
    "too_few_exposures": "Too few exposure times for this number.",
    "no_response": "The camera's signal does not rise with the light.",
    "non_uniformity_not_resolved": "The pixels differ by less than the noise shows.",
    "gain_not_constant": "The gain differs between light levels by more than 3 %.",
    "quantisation_limited": "The dark noise is hidden under the grey levels: an upper limit.",
    "too_few_levels": "Too few light levels for this number.",
    "not_linear": "The camera's signal is not in proportion to the light.",
    "uneven_light": "The light on the target is not even.",
    "exposure_inconsistent": "The signals do not fit the exposure times that were stated.",
    "offset_drift": "The camera's dark level is not the one in its profile.",
    "noise_changed": "The camera's noise in the dark is not the one in its profile.",
    "gain_changed": "The camera's gain is not the one in its profile.",
    "flat_changed": "The camera's response over the image is not the one in its profile.",
    "new_bad_pixels": "Pixels misbehave that the profile does not list as bad.",
    "few_frames": "Few frames were recorded, so this is less certain than it should be.",
    "background_saturated": "The background holds saturated pixels: its level is too low, a ratio to it too high.",
    "frame_saturated": "Too many pixels of the frame are saturated.",
    "out_of_focus": "The frame is blurred.",
    "motion_blur": "The frame is smeared in one direction.",
    "glare": "Small bright reflections cover too much of the frame.",
    "outside_series": "The limit lies outside the series that was measured.",
    "signal_cut_off": "The signal's darker pixels are cut off at count 0, so its level is too high.",
    "elongated": "A bright region is long and thin, like a vessel.",
    "saturated_blob": "A bright region is mostly saturated, so what is inside it cannot be known.",
    "hot_pixel": "A few pixels are brighter than any optics could make them.",
    "drape_edge": "A bright region lies along an empty field or the frame's border.",
    "slice_missing": "A slice between the first and the last does not show the tumour: its edge there is interpolated.",
    "lesion_splits": "A slice shows the tumour in more than one part: each part has a surface of its own.",
    "outside_training_range": "A feature lies outside the range that the trained model has seen.",
    "feature_missing": "A feature that the trained model needs is not known.",
    "protocol_differs": "Dose or timing of ICG differ from the trial that the figures are from, so they may not hold.",
    "sign_contradicts": "The fluorescent sign and the measured distance, or frames of one bed, say different things.",
    "lesions_not_sought": "Nobody looked for lesions in these frames: that none is listed says nothing.",
    "low_confidence": "Unsure whether this is a rim (confidence under 0.5): check it on the picture.",
    "no_closed_boundary": "A dark place has a rim at too few angles to be a lesion.",
}


def sentence(code: str | None) -> str:
    """Return the sentence for a reason code; an unknown code comes back as it is.

    Examples
    --------
    >>> sentence("no_lesion")
    'No lesion was found.'
    >>> sentence("a_new_code")
    'a_new_code'
    """
    return "No reason was recorded." if code is None else SENTENCES.get(code, code)


def number(figure: float, significant: int = 3) -> str:
    """Return `figure` with so many significant figures; NaN reads "undefined".

    Examples
    --------
    >>> number(1.23456), number(1234.5), number(0.0000123), number(float("nan"))
    ('1.23', '1234', '1.23e-05', 'undefined')
    >>> number(1.23456, 5)
    '1.2346'
    """
    if math.isnan(figure):
        return "undefined"
    if math.isinf(figure):
        return "∞" if figure > 0 else "-∞"
    if figure == 0 or 1e-3 <= abs(figure) < 1e6:
        decimals = significant - 1 - math.floor(math.log10(abs(figure))) if figure else 0
        return f"{figure:.{max(0, decimals)}f}"
    return f"{figure:.{significant - 1}e}"


def digits(low: float, high: float) -> int:
    """Return how many significant figures, 3 to 6, tell the ends of an interval apart; 3 where nothing does.

    Examples
    --------
    >>> digits(1.8, 2.2), digits(3.9987, 4.0013), digits(2.0, 2.0)
    (3, 4, 3)
    """
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        return 3
    # as numbers: "1.000" and "1.00" read the same
    telling = (count for count in range(3, 6) if float(number(low, count)) != float(number(high, count)))
    return next(telling, 6)


def percent(share: float) -> str:
    """Return a share between 0 and 1 in per cent, never rounded to certainty.

    Examples
    --------
    >>> percent(0.537), percent(0.062), percent(1e-9), percent(0.99999)
    ('54 %', '6.2 %', '< 0.1 %', '> 99.9 %')
    """
    if math.isnan(share):
        return "undefined"
    if share < 0.001:
        return "< 0.1 %"
    if share > 0.999:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if not 0.0995 <= share < 0.9 else f"{100 * share:.0f} %"


def chance(status: MarginStatus) -> str:
    """Return P(R1) with both ends of its interval in short, never rounded to certainty.

    Examples
    --------
    >>> chance(MarginStatus(1e-9, (1e-12, 0.004), "R0"))
    'P(R1) < 0.1 % [< 0.1 %, 0.4 %]'
    """
    if math.isnan(status.p_r1):
        return "P(R1) undefined"
    return f"P(R1) {percent(status.p_r1)} [{percent(status.ci[0])}, {percent(status.ci[1])}]"


def measurement(item: Measurement, unit: str = "") -> str:
    """Return a measurement with unit and 95 % interval, or "undefined" and why.

    Examples
    --------
    >>> measurement(Measurement(2.0, 0.1, (1.8, 2.2)), "mm")
    '2.00 mm (95 % CI 1.80 to 2.20)'
    >>> measurement(Measurement.undefined("no_pixel_size"))
    'undefined: The pixel size is unknown, so nothing can be given in millimetres.'
    """
    if math.isnan(item.value):
        return f"undefined: {sentence(item.reason)}"
    return f"{value(item, unit)} ({interval(item)})"


def value(item: Measurement, unit: str = "", *, significant: int | None = None) -> str:
    """Return the value alone, by default with as many figures as its interval; a lower bound reads "at least".

    Examples
    --------
    >>> value(Measurement(2.0, reason="saturated_lower_bound"), "mm")
    'at least 2.00 mm'
    """
    if math.isnan(item.value):
        return "undefined"
    bound = "at least " if item.reason == "saturated_lower_bound" else ""
    return f"{bound}{number(item.value, significant or digits(*item.ci))} {unit}".rstrip()


def interval(item: Measurement, unit: str = "") -> str:
    """Return the 95 % interval alone, with the figures that tell its ends apart.

    Examples
    --------
    >>> interval(Measurement(2.0, 0.1, (1.8, 2.2)), "mm"), interval(Measurement(2.0))
    ('95 % CI 1.80 to 2.20 mm', 'interval unknown')
    >>> interval(Measurement(4.0, 0.0007, (3.9987, 4.0013)))
    '95 % CI 3.999 to 4.001'
    """
    lo, hi = item.ci
    if math.isnan(lo) and math.isnan(hi):
        return "interval unknown"
    significant = digits(lo, hi)
    return f"95 % CI {number(lo, significant)} to {number(hi, significant)} {unit}".rstrip()


def unit_in_words(unit: str, *, calibrated: bool) -> str:
    """Return the label of a signal axis.

    Examples
    --------
    >>> unit_in_words("DN/ms", calibrated=True)
    'calibrated signal, DN/ms'
    """
    return f"{'calibrated' if calibrated else 'uncalibrated'} signal, {unit}"
