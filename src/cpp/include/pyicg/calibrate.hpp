// Room 1: raw counts to calibrated signal with a validity mask and a variance.
//
//   x = raw - dark - dark_rate (t - t_profile),  u = L(x),  g = 10^((G - G_profile)/20),  f = unit / (flat t g)
//   signal = u f - ambient
//   noise = g K u + (read^2 + dark variance at t) L'(x)^2, at least what rounding to whole counts makes
//   variance = noise f^2 + (u f flat_sigma)^2 + ambient variance
//
// L is the profile's linearity, t the exposure of the frame, G its gain in dB, K the system gain on the linear axis.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/profile.hpp"
#include "pyicg/runner.hpp"

namespace pyicg {

enum MaskBit : std::uint8_t {
  mask_saturated = 1,
  mask_underflow = 2,
  mask_bad = 4,
  mask_excluded = 8,
  mask_out_of_range = 16,
  mask_repaired = 32,
  mask_not_finite = 64,
};
// Statistics leave out every bit but `repaired`.
inline constexpr std::uint8_t mask_left_out = 0xFF & ~mask_repaired;

// How a frame was taken; NaN: not told.
struct Exposure {
  double exposure_ms = nan;
  double gain_db = nan;
};

using RawFrame = std::variant<ImageView<const std::uint8_t>, ImageView<const std::uint16_t>, ImageView<const float>>;

// What the signal is counted in. Rates where an exposure is known, totals where none is.
enum class SignalUnit : std::uint8_t {
  automatic,  // DN/ms, or DN without an exposure
  dn,
  dn_per_ms,
  electrons,  // of a pixel of mean response, by gain_dn_per_e
  electrons_per_ms,
  nanomolar,  // of ICG, by response_nm_per_dn_ms; needs an exposure
};

// "DN", "DN/ms", "e", "e/ms", "nM"; "" for automatic.
const char* unit_name(SignalUnit unit) noexcept;

// A calibrated frame of the same scene with the lamp off, to be taken off. No data pointer: none.
struct Ambient {
  ImageView<const float> data;
  ImageView<const std::uint8_t> mask;  // saturated, excluded, out of range and not finite are taken over
  ImageView<const float> variance;     // needed where a variance is asked for: variances add
  SignalUnit unit = SignalUnit::automatic;
};

struct CalibrationOptions {
  SignalUnit unit = SignalUnit::automatic;
  ImageView<const std::uint8_t> exclude;  // non-zero: set mask_excluded; no data pointer: none
  Ambient ambient;
  // The bits depend on neither.
  Threads threads;
  std::size_t band_rows = 64;  // that go through cache together
};

// A calibrated frame as the later rooms take it.
struct CalibratedView {
  ImageView<const float> data;
  ImageView<const std::uint8_t> mask;
  // No data pointer: the noise is not known. The initialiser lets callers leave it out without a compiler's warning.
  ImageView<const float> variance = {};  // NOLINT(readability-redundant-member-init)
  double step = 0;                       // one count in the unit of the data, 0 where counts are not whole
};

struct CalibrationSummary {
  SignalUnit unit = SignalUnit::dn;
  double exposure_ms = nan;  // what the data were divided by; NaN: nothing
  double offset = 0;         // mean dark in the unit of the result
  double step = 0;           // one count in the unit of the result; 0 where counts are not whole
  std::size_t saturated = 0;
  std::size_t underflow = 0;
  std::size_t bad = 0;
  std::size_t repaired = 0;
  std::size_t not_finite = 0;
  bool out_of_range = false;
};

// Writes data, mask and (where its data pointer is set) variance, all of the profile's shape; where there is no signal,
// data and variance are NaN. Without an exposure the profile's own is used. Throws Error(input) when a shape differs, a
// count lies above the saturation level, data overlap an input or the ambient frame does not fit; Error(profile) when
// the profile does not know what the unit or the variance needs; Error(unit) for an exposure or a unit that cannot be.
CalibrationSummary calibrate(const RawFrame& frame, const Profile& profile, const Exposure& exposure,
                             ImageView<float> data, ImageView<std::uint8_t> mask, ImageView<float> variance = {},
                             const CalibrationOptions& options = {});

}  // namespace pyicg
