#include "pyicg/measurement.hpp"

#include <array>

namespace pyicg {

const char* reason_name(Reason reason) noexcept {
  static constexpr std::array<const char*, reason_count> names = {
      "none",
      "no_pixel_size",
      "no_prevalence",
      "background_not_resolved",
      "saturated_lower_bound",
      "uncalibrated",
      "out_of_range",
      "too_few_pixels",
      "no_lesion",
      "no_plane",
      "slice_too_thick",
      "extrapolated",
      "not_star_shaped",
      "clipped_by_border",
      "no_signal",
      "no_enclosed_core",
      "below_min_area",
      "no_exposure",
      "straddles_threshold",
      "no_photons",
      "not_saturated",
      "too_few_levels",
      "no_spatial_series",
      "no_exposures",
      "plane_not_flat",
      "plane_unverified",
      "no_sign",
      "no_distance",
      "too_few_cases",
      "too_few_exposures",
      "no_response",
      "non_uniformity_not_resolved",
      "gain_not_constant",
      "quantisation_limited",
      "empty_field_left_out",
      "not_finite",
      "not_linear",
      "uneven_light",
      "exposure_inconsistent",
      "offset_drift",
      "noise_changed",
      "gain_changed",
      "flat_changed",
      "new_bad_pixels",
      "few_frames",
      "background_saturated",
      "frame_saturated",
      "out_of_focus",
      "motion_blur",
      "glare",
      "outside_series",
      "signal_cut_off",
      "elongated",
      "saturated_blob",
      "hot_pixel",
      "drape_edge",
      "no_closed_boundary",
      "low_confidence",
      "slice_missing",
      "lesion_splits",
  };
  const auto index = static_cast<std::uint32_t>(reason);
  return index < names.size() ? names[index] : nullptr;
}

}  // namespace pyicg
