// What is known about a camera: maps and numbers, checked once and then shared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/measurement.hpp"

namespace pyicg {

// What a profile holds. Maps are row-major height x width, or empty where there is none.
struct ProfileData {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<float> dark;            // DN, at exposure_ms
  std::vector<float> dark_rate;       // DN/ms: dark(t) = dark + dark_rate (t - exposure_ms)
  std::vector<float> dark_sigma;      // DN, standard uncertainty of the dark map at the mean dark exposure
  std::vector<float> flat;            // relative response, mean 1
  std::vector<float> flat_sigma;      // relative standard uncertainty of flat
  std::vector<float> read_noise_map;  // DN; takes the place of read_noise_dn
  std::vector<float> gain_map;        // DN/e; takes the place of gain_dn_per_e in the variance
  std::vector<std::uint8_t> bad;      // non-zero: do not trust this pixel
  std::array<double, 3> linearity{1.0, 0.0, 0.0};
  // Takes the place of the polynomial: linear signal at counts 0, step, 2 step, ... above dark, straight between them
  // and beyond the ends. Empty: none, and linearity_step_dn is not looked at.
  std::vector<double> linearity_table;
  double linearity_step_dn = nan;
  double saturation_dn = infinity;     // infinite: unknown
  double exposure_ms = nan;            // at which dark and flat were taken; NaN: none
  double exposure_min_ms = nan;        // calibrated range
  double exposure_max_ms = nan;        //
  double dark_mean_exposure_ms = nan;  // of the dark frames behind a fitted dark_rate; NaN: one exposure
  double dark_exposure_sd_ms = nan;
  double gain_db = nan;
  double gain_dn_per_e = nan;  // EMVA 1288 K on the linearised axis; NaN: unknown
  double read_noise_dn = nan;
  double response_nm_per_dn_ms = nan;  // nM of ICG per DN/ms
  bool calibrated = false;
};

// A checked, immutable profile that many scorers may share between threads.
class Profile {
 public:
  // One piece of the linearity table in float32: value + slope (x - start).
  struct Piece {
    float start, value, slope;
  };

  explicit Profile(ProfileData data);  // throws Error(profile)

  [[nodiscard]] const ProfileData& data() const { return data_; }
  [[nodiscard]] const std::vector<float>& inverse_flat() const { return inverse_flat_; }
  [[nodiscard]] const std::vector<Piece>& linearity_pieces() const { return pieces_; }  // empty: the polynomial holds
  [[nodiscard]] const std::vector<std::size_t>& bad_pixels() const { return bad_pixels_; }
  [[nodiscard]] double mean_dark() const { return mean_dark_; }
  [[nodiscard]] double mean_dark_rate() const { return mean_dark_rate_; }
  // Gain and read noise are known, as numbers or as maps.
  [[nodiscard]] bool has_variance() const {
    return (data_.gain_dn_per_e > 0 || !data_.gain_map.empty()) &&
           (data_.read_noise_dn >= 0 || !data_.read_noise_map.empty());
  }

 private:
  ProfileData data_;
  std::vector<float> inverse_flat_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> bad_pixels_;  // flat indices, ascending
  double mean_dark_ = 0;
  double mean_dark_rate_ = 0;
};

}  // namespace pyicg
