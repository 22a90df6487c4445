#include "pyicg/profile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "detail/number.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

using detail::number;

void require(bool ok, const std::string& message) {
  if (!ok) throw Error(ErrorKind::profile, message);
}

enum class Sign { any, zero_or_more, above_zero };

bool allowed(double value, Sign sign) {
  return std::isfinite(value) && (sign == Sign::any || value > 0 || (sign == Sign::zero_or_more && value == 0));
}

const char* words(Sign sign) {
  switch (sign) {
    case Sign::any:
      return "a finite number";
    case Sign::zero_or_more:
      return "0 or more";
    case Sign::above_zero:
      return "over 0";
  }
  return "";
}

// NaN stands for unknown. Pixels are floats: numbers beyond theirs would make them infinite, or zero.
void check_number(double value, const char* name, Sign sign) {
  using Float = std::numeric_limits<float>;
  const bool held = std::abs(value) <= static_cast<double>(Float::max()) &&
                    (sign != Sign::above_zero || value >= static_cast<double>(Float::min()));
  require(std::isnan(value) || (allowed(value, sign) && held),
          std::string(name) + " is " + number(value) + ", expected " + words(sign) +
              " that a float can hold, or NaN where it is unknown");
}

void check_map(const std::vector<float>& map, const char* name, Sign sign, const ProfileData& p) {
  const std::size_t size = p.height * p.width;
  require(map.empty() || map.size() == size, std::string(name) + " holds " + std::to_string(map.size()) +
                                                 " values, expected none or " + std::to_string(p.height) + " x " +
                                                 std::to_string(p.width) + "; a profile's maps share its shape");
  for (std::size_t i = 0; i < map.size(); ++i) {
    // What a bad pixel holds is never used, so its sign is free; it must be finite because means are taken.
    const auto value = static_cast<double>(map[i]);
    if (allowed(value, p.bad[i] != 0 ? Sign::any : sign)) continue;
    throw Error(ErrorKind::profile, std::string(name) + " is " + number(value) + " at index " + std::to_string(i) +
                                        ", expected " + words(sign) +
                                        "; mark such pixels as bad with a finite value, or measure the map again");
  }
}

// A curve that falls gives one signal to two counts.
void check_polynomial(const std::array<double, 3>& c, double saturation_dn) {
  require(std::isfinite(c[0]) && std::isfinite(c[1]) && std::isfinite(c[2]) && c[0] > 0,
          "the linearity coefficients are " + number(c[0]) + ", " + number(c[1]) + ", " + number(c[2]) +
              ", expected finite ones, the first over 0");
  if (!std::isfinite(saturation_dn)) return;
  const auto slope = [&](double x) { return c[0] + x * (2 * c[1] + x * 3 * c[2]); };
  double lowest = slope(saturation_dn);
  const double turn = -c[1] / (3 * c[2]);  // where the slope is least or most; NaN or infinite for a straight line
  if (turn > 0 && turn < saturation_dn) lowest = std::min(lowest, slope(turn));
  require(lowest > 0, "the linearity polynomial falls between 0 and saturation_dn = " + number(saturation_dn) +
                          " (lowest slope " + number(lowest) + "), expected it to rise; use a linearity table");
}

std::vector<Profile::Piece> pieces_of(const std::vector<double>& table, double step) {
  if (table.empty()) return {};
  require(table.size() >= 2,
          "the linearity table holds " + std::to_string(table.size()) + " value, expected 2 or more, the first 0");
  require(std::isfinite(step) && step > 0,
          "linearity_step_dn is " + number(step) + ", expected the counts between two values of the table, over 0");
  require(table[0] == 0, "the linearity table starts at " + number(table[0]) +
                             ", expected 0: counts at the dark level are a signal of 0");
  std::vector<Profile::Piece> pieces;
  pieces.reserve(table.size() - 1);
  for (std::size_t k = 0; k + 1 < table.size(); ++k) {
    const auto slope = static_cast<float>((table[k + 1] - table[k]) / step);
    require(slope > 0.0F && std::isnormal(slope), "the linearity table goes from " + number(table[k]) + " to " +
                                                      number(table[k + 1]) + " at value " + std::to_string(k + 1) +
                                                      ", expected every value finite and larger than the one before");
    pieces.push_back({static_cast<float>(static_cast<double>(k) * step), static_cast<float>(table[k]), slope});
  }
  return pieces;
}

double mean(const std::vector<float>& map) {
  double sum = 0;
  for (const float value : map) sum += static_cast<double>(value);
  return map.empty() ? 0 : sum / static_cast<double>(map.size());
}

void check_numbers(const ProfileData& p) {
  require(p.saturation_dn > 0,
          "saturation_dn is " + number(p.saturation_dn) + ", expected a level over 0, or infinity where it is unknown");
  check_number(p.exposure_ms, "exposure_ms", Sign::above_zero);
  check_number(p.exposure_min_ms, "exposure_min_ms", Sign::above_zero);
  check_number(p.exposure_max_ms, "exposure_max_ms", Sign::above_zero);
  require(!(p.exposure_min_ms > p.exposure_max_ms),
          "exposure_min_ms = " + number(p.exposure_min_ms) +
              " is larger than exposure_max_ms = " + number(p.exposure_max_ms) + ", expected the other way round");
  require(std::isnan(p.exposure_min_ms) == std::isnan(p.exposure_max_ms),
          "exposure_min_ms is " + number(p.exposure_min_ms) + " and exposure_max_ms " + number(p.exposure_max_ms) +
              ", expected both or neither");
  check_number(p.dark_mean_exposure_ms, "dark_mean_exposure_ms", Sign::above_zero);
  check_number(p.dark_exposure_sd_ms, "dark_exposure_sd_ms", Sign::above_zero);
  require(std::isnan(p.dark_mean_exposure_ms) == std::isnan(p.dark_exposure_sd_ms),
          "dark_mean_exposure_ms is " + number(p.dark_mean_exposure_ms) + " and dark_exposure_sd_ms " +
              number(p.dark_exposure_sd_ms) + ", expected both or neither");
  check_number(p.gain_db, "gain_db", Sign::any);
  check_number(p.gain_dn_per_e, "gain_dn_per_e", Sign::above_zero);
  check_number(p.read_noise_dn, "read_noise_dn", Sign::zero_or_more);
  check_number(p.response_nm_per_dn_ms, "response_nm_per_dn_ms", Sign::above_zero);
}

// Raw counts in the place of a relative response, or a dark map of another bit depth. The range of the mean is assumed:
// wide enough for any way of normalising.
void check_levels(const ProfileData& p, double mean_dark) {
  double sum = 0;
  std::size_t good = 0;
  for (std::size_t i = 0; i < p.flat.size(); ++i) {
    if (p.bad[i] != 0) continue;
    sum += static_cast<double>(p.flat[i]);
    ++good;
  }
  const double mean_flat = good > 0 ? sum / static_cast<double>(good) : 1;
  require(mean_flat >= 0.1 && mean_flat <= 10,
          "flat has a mean of " + number(mean_flat) + ", expected about 1; divide it by its mean");
  require(mean_dark < p.saturation_dn, "dark has a mean of " + number(mean_dark) +
                                           ", expected less than saturation_dn = " + number(p.saturation_dn) +
                                           "; use a dark map of this bit depth");
}

}  // namespace

Profile::Profile(ProfileData data) : data_(std::move(data)) {
  const std::size_t size = data_.height * data_.width;
  const std::string shape = std::to_string(data_.height) + " x " + std::to_string(data_.width);
  require(size > 0, "the profile is " + shape + ", expected a height and a width of at least 1");
  require(data_.bad.empty() || data_.bad.size() == size,
          "bad holds " + std::to_string(data_.bad.size()) + " values, expected none or " + shape);
  data_.bad.resize(size, 0);
  check_numbers(data_);
  pieces_ = pieces_of(data_.linearity_table, data_.linearity_step_dn);
  if (pieces_.empty()) check_polynomial(data_.linearity, data_.saturation_dn);

  check_map(data_.dark, "dark", Sign::any, data_);
  check_map(data_.dark_rate, "dark_rate", Sign::any, data_);
  check_map(data_.dark_sigma, "dark_sigma", Sign::zero_or_more, data_);
  check_map(data_.flat, "flat", Sign::above_zero, data_);
  check_map(data_.flat_sigma, "flat_sigma", Sign::zero_or_more, data_);
  check_map(data_.read_noise_map, "read_noise_map", Sign::zero_or_more, data_);
  check_map(data_.gain_map, "gain_map", Sign::above_zero, data_);
  require(data_.dark_rate.empty() || (!data_.dark.empty() && data_.exposure_ms > 0),
          "dark_rate stands alone, expected a dark map and its exposure_ms beside it");
  require(data_.dark_sigma.empty() || !data_.dark.empty(), "dark_sigma stands alone, expected a dark map beside it");
  require(data_.flat_sigma.empty() || !data_.flat.empty(), "flat_sigma stands alone, expected a flat map beside it");
  require(std::isnan(data_.dark_mean_exposure_ms) || !data_.dark_rate.empty(),
          "dark_mean_exposure_ms is given and dark_rate is not; it tells of the exposures behind a fitted dark_rate");
  mean_dark_ = mean(data_.dark);
  mean_dark_rate_ = mean(data_.dark_rate);

  inverse_flat_.resize(data_.flat.size());
  for (std::size_t i = 0; i < inverse_flat_.size(); ++i) {
    const float inverse = 1.0F / data_.flat[i];
    const bool usable = inverse > 0.0F && std::isnormal(inverse);
    inverse_flat_[i] = usable ? inverse : 1.0F;
    if (usable || data_.bad[i] != 0) continue;
    throw Error(ErrorKind::profile, "flat is " + number(static_cast<double>(data_.flat[i])) + " at index " +
                                        std::to_string(i) +
                                        ", too small to divide by; mark such pixels as bad or measure the flat again");
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (data_.bad[i] != 0) bad_pixels_.push_back(i);
  }
  check_levels(data_, mean_dark_);
}

}  // namespace pyicg
