// One number with its uncertainty, or the reason why there is none.
#pragma once

#include <cstdint>
#include <limits>

namespace pyicg {

// Shared by C++, C (pyicg.h states the same values) and Python (which reads the names from here).
enum class Reason : std::uint32_t {
  none = 0,
  no_pixel_size = 1,
  no_prevalence = 2,
  background_not_resolved = 3,
  saturated_lower_bound = 4,
  uncalibrated = 5,
  out_of_range = 6,
  too_few_pixels = 7,
  no_lesion = 8,
  no_plane = 9,
  slice_too_thick = 10,
  extrapolated = 11,
  not_star_shaped = 12,
  clipped_by_border = 13,
  no_signal = 14,
  no_enclosed_core = 15,
  below_min_area = 16,
  no_exposure = 17,
  straddles_threshold = 18,
  no_photons = 19,
  not_saturated = 20,
  too_few_levels = 21,
  no_spatial_series = 22,
  no_exposures = 23,
  plane_not_flat = 24,
  plane_unverified = 25,
  no_sign = 26,
  no_distance = 27,
  too_few_cases = 28,
  too_few_exposures = 29,
  no_response = 30,
  non_uniformity_not_resolved = 31,
  gain_not_constant = 32,
  quantisation_limited = 33,
  empty_field_left_out = 34,
  not_finite = 35,
  not_linear = 36,
  uneven_light = 37,
  exposure_inconsistent = 38,
  offset_drift = 39,
  noise_changed = 40,
  gain_changed = 41,
  flat_changed = 42,
  new_bad_pixels = 43,
  few_frames = 44,
  background_saturated = 45,
  frame_saturated = 46,
  out_of_focus = 47,
  motion_blur = 48,
  glare = 49,
  outside_series = 50,
  signal_cut_off = 51,
  elongated = 52,
  saturated_blob = 53,
  hot_pixel = 54,
  drape_edge = 55,
  no_closed_boundary = 56,
  low_confidence = 57,
  slice_missing = 58,
  lesion_splits = 59,
  outside_training_range = 60,
  feature_missing = 61,
  protocol_differs = 62,
  sign_contradicts = 63,
  lesions_not_sought = 64,
};
inline constexpr std::uint32_t reason_count = 65;

// The code as a word, "none" for Reason::none; nullptr for a value outside the enumeration.
const char* reason_name(Reason reason) noexcept;

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

struct Measurement {
  double value = nan;
  double sigma = nan;  // standard uncertainty
  double lo = nan;     // 95 % interval
  double hi = nan;
  Reason reason = Reason::none;

  static Measurement undefined(Reason why) { return {nan, nan, nan, nan, why}; }
};

// 97.5 % point of the normal distribution: every interval of pyicg is a 95 % one.
inline constexpr double z95 = 1.959963984540054;

inline Measurement normal_measurement(double value, double sigma, Reason reason = Reason::none) {
  return {value, sigma, value - z95 * sigma, value + z95 * sigma, reason};
}

}  // namespace pyicg
