// What tests of the C interface hand in: a profile of 10 ms, and a rim of SBR 3 around a core of 0.8 beside a bright
// spot.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "pyicg/pyicg.h"

namespace c_scene {

inline constexpr std::size_t height = 64;
inline constexpr std::size_t width = 74;

inline pyicg_profile_data profile_data() {
  pyicg_profile_data data = pyicg_identity_profile(height, width, 4095);
  data.calibrated = 1;
  data.exposure_ms = 10;
  return data;
}

inline pyicg_scorer_options options(pyicg_view view) {
  pyicg_scorer_options made = pyicg_options_for(view);
  made.pixel_size_mm = 0.1;
  return made;
}

// Below 1024, so that 10 bits hold it, with a grain that is the same everywhere.
inline std::vector<std::uint16_t> pixels() {
  std::vector<std::uint16_t> made(height * width);
  std::uint32_t state = 1;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 32, static_cast<double>(x) - 38);
      state = state * 1664525 + 1013904223;
      const bool spot = y < 9 && x < 9;
      made[y * width + x] = static_cast<std::uint16_t>((r < 9 ? 240 : r < 17 || spot ? 900 : 300) + (state >> 29));
    }
  }
  return made;
}

inline pyicg_frame frame(const std::vector<std::uint16_t>& of) {
  return pyicg_frame_of(of.data(), PYICG_PIXEL_U16, height, width);
}

// Byte by byte: NaN is NaN, and what was not filled is zero in both.
inline bool same(const pyicg_frame_score& a, const pyicg_frame_score& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// What a call that failed leaves of a score, of whichever was there before.
inline bool knows_nothing(const pyicg_frame_score& s) {
  for (const pyicg_measurement* m : {&s.sbr, &s.sbr_raw, &s.weber, &s.michelson, &s.cnr, &s.cvr, &s.signal_level,
                                     &s.background, &s.residual_area_mm2}) {
    if (!std::isnan(m->value) || !std::isnan(m->sigma) || !std::isnan(m->lo) || !std::isnan(m->hi)) return false;
  }
  for (const double number : {s.background_level, s.background_sigma, s.residual_area_px, s.saturated_fraction,
                              s.underflow_fraction, s.focus, s.isotropy, s.glare_fraction}) {
    if (!std::isnan(number)) return false;
  }
  for (const std::uint32_t sign : {s.sign, s.sign_at_150, s.sign_at_175, s.sign_at_200}) {
    if (sign != PYICG_SIGN_UNKNOWN) return false;
  }
  return s.calibrated == 0 && s.bad_pixels + s.repaired_pixels + s.n_lesions + s.n_hot_spots + s.n_reasons == 0;
}

}  // namespace c_scene
