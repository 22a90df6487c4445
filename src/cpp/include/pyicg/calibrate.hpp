// Room 1: raw counts to calibrated signal with a validity mask.
//
//   x = raw - dark,  x' = c1 x + c2 x^2 + c3 x^3,  signal = x' / flat / exposure / gain
//
// dark and flat are the profile's maps, c its linearity, gain = 10^((g - g_profile)/20). Unit: DN/ms, or DN where no
// exposure is known.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

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

// What a profile holds. Maps are row-major height x width, or empty where there is none.
struct ProfileData {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<float> dark;        // DN
  std::vector<float> flat;        // relative response, mean 1
  std::vector<std::uint8_t> bad;  // non-zero: do not trust this pixel
  std::array<double, 3> linearity{1.0, 0.0, 0.0};
  double saturation_dn = infinity;  // infinite: unknown
  double exposure_ms = nan;         // at which dark and flat were taken; NaN: none
  double exposure_min_ms = nan;     // calibrated range
  double exposure_max_ms = nan;
  double gain_db = nan;
  double gain_dn_per_e = nan;  // EMVA 1288 K; NaN: unknown, and then no variance
  double read_noise_dn = nan;
  bool calibrated = false;
};

// A checked, immutable profile that many scorers may share between threads.
class Profile {
 public:
  explicit Profile(ProfileData data);  // throws Error(profile)

  [[nodiscard]] const ProfileData& data() const { return data_; }
  [[nodiscard]] const std::vector<float>& inverse_flat() const { return inverse_flat_; }
  [[nodiscard]] const std::vector<std::size_t>& bad_pixels() const { return bad_pixels_; }
  [[nodiscard]] double mean_dark() const { return mean_dark_; }
  [[nodiscard]] bool has_variance() const { return data_.gain_dn_per_e > 0 && data_.read_noise_dn >= 0; }

 private:
  ProfileData data_;
  std::vector<float> inverse_flat_;
  std::vector<std::size_t> bad_pixels_;  // flat indices, ascending
  double mean_dark_ = 0;
};

// How a frame was taken; NaN: not told.
struct Exposure {
  double exposure_ms = nan;
  double gain_db = nan;
};

using RawFrame = std::variant<ImageView<const std::uint8_t>, ImageView<const std::uint16_t>, ImageView<const float>>;

struct CalibrationSummary {
  double exposure_ms = nan;  // what the data were divided by; NaN: nothing, and the unit is DN
  double offset = 0;         // mean dark in the unit of the result
  double step = 0;           // one count in the unit of the result; 0 where counts are not whole
  std::size_t saturated = 0;
  std::size_t underflow = 0;
  std::size_t bad = 0;
  std::size_t repaired = 0;
  std::size_t not_finite = 0;
  bool out_of_range = false;
};

// Writes data, mask and (where its data pointer is set) variance, all of the profile's shape. Without an exposure the
// profile's own is used. Throws Error(input) when the shape differs or a count lies above the saturation level.
CalibrationSummary calibrate(const RawFrame& frame, const Profile& profile, const Exposure& exposure,
                             ImageView<float> data, ImageView<std::uint8_t> mask, ImageView<float> variance = {});

}  // namespace pyicg
