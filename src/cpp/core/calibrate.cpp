#include "pyicg/calibrate.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "pyicg/error.hpp"

namespace pyicg {
namespace {

void require(bool ok, const std::string& message) {
  if (!ok) throw Error(ErrorKind::profile, message);
}

std::string number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// What one pixel's arithmetic needs, in float32 throughout: the same operations on every machine.
struct Factors {
  float c1, c2, c3;
  float scale;       // 1 / (exposure x gain)
  float read_var;    // DN^2
  float gain;        // DN per electron
  float saturation;  // DN
  float highest;     // largest count that can be
  bool flag_zero;    // a dark map is there: a count of 0 is a clipped one
  std::uint8_t frame_bits;
};

float linear(float x, const Factors& f) { return x * (f.c1 + x * (f.c2 + x * f.c3)); }
float slope(float x, const Factors& f) { return f.c1 + x * (2.0F * f.c2 + x * 3.0F * f.c3); }

// Median of the valid 8-neighbours: keeps an edge where a mean would smear it. False: no valid neighbour.
bool repair(std::size_t index, ImageView<float> data, ImageView<std::uint8_t> mask, ImageView<float> variance) {
  constexpr std::uint8_t unusable = mask_saturated | mask_bad | mask_repaired | mask_not_finite;
  const std::size_t y = index / data.width;
  const std::size_t x = index % data.width;
  std::array<std::pair<float, float>, 8> found{};
  std::size_t count = 0;
  for (std::size_t yy = y == 0 ? 0 : y - 1; yy <= std::min(y + 1, data.height - 1); ++yy) {
    for (std::size_t xx = x == 0 ? 0 : x - 1; xx <= std::min(x + 1, data.width - 1); ++xx) {
      if ((mask(yy, xx) & unusable) != 0) continue;
      const std::pair<float, float> next{data(yy, xx), variance.data != nullptr ? variance(yy, xx) : 0.0F};
      std::size_t place = count++;  // kept in ascending order
      for (; place > 0 && next < found.at(place - 1); --place) found.at(place) = found.at(place - 1);
      found.at(place) = next;
    }
  }
  if (count == 0) return false;
  const auto& upper = found.at(count / 2);
  const auto& lower = found.at((count - 1) / 2);
  data(y, x) = 0.5F * (lower.first + upper.first);
  if (variance.data != nullptr) variance(y, x) = std::max(lower.second, upper.second);
  return true;
}

template <class Pixel>
void convert(ImageView<const Pixel> raw, const Profile& profile, const Factors& f, ImageView<float> data,
             ImageView<std::uint8_t> mask, ImageView<float> variance, CalibrationSummary& summary) {
  const ProfileData& p = profile.data();
  float highest = 0;
  bool whole = true;
  for (std::size_t y = 0; y < raw.height; ++y) {
    const Pixel* in = raw.row(y);
    float* out = data.row(y);
    std::uint8_t* bits = mask.row(y);
    const float* dark = p.dark.empty() ? nullptr : p.dark.data() + y * p.width;
    const float* inverse = profile.inverse_flat().empty() ? nullptr : profile.inverse_flat().data() + y * p.width;
    for (std::size_t x = 0; x < raw.width; ++x) {
      const auto count = static_cast<float>(in[x]);
      std::uint8_t bit = f.frame_bits;
      if (count >= f.saturation) bit |= mask_saturated;
      if (f.flag_zero && count <= 0.0F) bit |= mask_underflow;
      const float above = dark != nullptr ? count - dark[x] : count;
      const float factor = inverse != nullptr ? inverse[x] * f.scale : f.scale;
      out[x] = linear(above, f) * factor;
      if (!std::isfinite(out[x])) {
        bit = static_cast<std::uint8_t>((bit & ~mask_underflow & ~mask_saturated) | mask_not_finite);
        out[x] = std::numeric_limits<float>::quiet_NaN();
        ++summary.not_finite;
      }
      bits[x] = bit;
      summary.saturated += (bit & mask_saturated) != 0;
      summary.underflow += (bit & mask_underflow) != 0;
      if (std::isfinite(count)) {
        highest = std::max(highest, count);
        whole &= count == std::trunc(count);
      }
      if (variance.data != nullptr) {
        // Shot + read + quantisation noise of the counts, carried through linearity, flat and exposure.
        const float step = slope(above, f) * factor;
        variance(y, x) = (f.gain * std::max(above, 0.0F) + f.read_var) * step * step;
      }
    }
  }
  summary.step = whole ? static_cast<double>(f.scale * f.c1) : 0.0;
  if (highest > f.highest) {
    throw Error(ErrorKind::input, "the frame holds counts up to " + number(highest) + ", but its profile says " +
                                      number(f.highest) +
                                      " is the largest there can be; use the profile of this camera and bit depth");
  }
}

}  // namespace

Profile::Profile(ProfileData data) : data_(std::move(data)) {
  const std::size_t size = data_.height * data_.width;
  const std::string expected = std::to_string(data_.height) + " x " + std::to_string(data_.width);
  require(size > 0, "a profile needs a height and a width of at least 1, found " + expected);
  const auto fits = [&](std::size_t n) { return n == 0 || n == size; };
  require(fits(data_.dark.size()) && fits(data_.flat.size()) && fits(data_.bad.size()),
          "a profile's maps must all be " + expected);
  require(data_.saturation_dn > 0, "saturation_dn must be positive, found " + number(data_.saturation_dn));
  require(std::isfinite(data_.linearity[0]) && std::isfinite(data_.linearity[1]) && std::isfinite(data_.linearity[2]) &&
              data_.linearity[0] > 0,
          "the linearity coefficients must be finite and the first one positive");
  for (const double exposure : {data_.exposure_ms, data_.exposure_min_ms, data_.exposure_max_ms}) {
    require(std::isnan(exposure) || (exposure > 0 && std::isfinite(exposure)),
            "exposures must be positive, found " + number(exposure) + " ms");
  }
  require(!(data_.exposure_min_ms > data_.exposure_max_ms), "exposure_min_ms is larger than exposure_max_ms");
  require(std::isnan(data_.gain_dn_per_e) || (data_.gain_dn_per_e > 0 && std::isfinite(data_.gain_dn_per_e)),
          "gain_dn_per_e must be positive or NaN, found " + number(data_.gain_dn_per_e));
  require(std::isnan(data_.read_noise_dn) || (data_.read_noise_dn >= 0 && std::isfinite(data_.read_noise_dn)),
          "read_noise_dn must be 0 or more, or NaN, found " + number(data_.read_noise_dn));
  require(!std::isinf(data_.gain_db), "gain_db must be finite, found " + number(data_.gain_db));
  data_.bad.resize(size, 0);
  if (!data_.dark.empty()) {
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
      require(std::isfinite(data_.dark[i]), "the dark map holds a NaN or an infinity at index " + std::to_string(i));
      sum += static_cast<double>(data_.dark[i]);
    }
    mean_dark_ = sum / static_cast<double>(size);
  }
  if (!data_.flat.empty()) {
    inverse_flat_.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      const float response = data_.flat[i];
      const bool usable = response > 0.0F && std::isnormal(1.0F / response);
      require(usable || data_.bad[i] != 0, "the flat map is not positive at index " + std::to_string(i) +
                                               ": mark such pixels as bad or measure the flat again");
      inverse_flat_[i] = usable ? 1.0F / response : 1.0F;
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (data_.bad[i] != 0) bad_pixels_.push_back(i);
  }
}

CalibrationSummary calibrate(const RawFrame& frame, const Profile& profile, const Exposure& exposure,
                             ImageView<float> data, ImageView<std::uint8_t> mask, ImageView<float> variance) {
  const ProfileData& p = profile.data();
  const auto shape_is = [&](const auto& view) { return view.height == p.height && view.width == p.width; };
  std::visit(
      [&](const auto& view) {
        if (!shape_is(view)) {
          throw Error(ErrorKind::input, "the frame is " + std::to_string(view.height) + " x " +
                                            std::to_string(view.width) + ", its profile " + std::to_string(p.height) +
                                            " x " + std::to_string(p.width) + "; use the profile of this camera mode");
        }
      },
      frame);
  if (!shape_is(data) || !shape_is(mask) || (variance.data != nullptr && !shape_is(variance))) {
    throw Error(ErrorKind::input, "the output arrays must have the shape of the profile");
  }
  if (variance.data != nullptr && !profile.has_variance()) {
    throw Error(ErrorKind::profile, "no variance without gain_dn_per_e and read_noise_dn in the profile");
  }
  const auto given = [](double value) { return !std::isnan(value); };
  if (given(exposure.exposure_ms) && !(exposure.exposure_ms > 0 && std::isfinite(exposure.exposure_ms))) {
    throw Error(ErrorKind::unit, "exposure_ms must be positive, found " + number(exposure.exposure_ms));
  }
  if (std::isinf(exposure.gain_db)) {
    throw Error(ErrorKind::unit, "gain_db must be finite, found " + number(exposure.gain_db));
  }

  CalibrationSummary summary;
  summary.exposure_ms = given(exposure.exposure_ms) ? exposure.exposure_ms : p.exposure_ms;
  // A profile holds where it was measured: 0.1 % allows for the rounding of a camera's exposure register.
  constexpr double tolerance = 1e-3;
  summary.out_of_range = (given(p.exposure_min_ms) && summary.exposure_ms < p.exposure_min_ms * (1 - tolerance)) ||
                         (given(p.exposure_max_ms) && summary.exposure_ms > p.exposure_max_ms * (1 + tolerance));
  double scale = given(summary.exposure_ms) ? 1.0 / summary.exposure_ms : 1.0;
  if (given(exposure.gain_db) && given(p.gain_db)) scale *= std::pow(10.0, (p.gain_db - exposure.gain_db) / 20.0);
  summary.offset = profile.mean_dark() * scale;

  const double word_max = std::visit(
      []<class Pixel>(const ImageView<const Pixel>&) -> double {
        return std::is_floating_point_v<Pixel> ? infinity : static_cast<double>(std::numeric_limits<Pixel>::max());
      },
      frame);
  Factors f{};
  f.c1 = static_cast<float>(p.linearity[0]);
  f.c2 = static_cast<float>(p.linearity[1]);
  f.c3 = static_cast<float>(p.linearity[2]);
  f.scale = static_cast<float>(scale);
  f.saturation = static_cast<float>(std::min(p.saturation_dn, word_max));
  f.flag_zero = !p.dark.empty();
  f.frame_bits = summary.out_of_range ? mask_out_of_range : 0;
  // A count above full scale means another bit depth than the profile's. Full scale is 2^n - 1 at or above saturation.
  f.highest = std::isfinite(p.saturation_dn) && std::isfinite(word_max)
                  ? static_cast<float>(std::exp2(std::ceil(std::log2(p.saturation_dn + 1.0))) - 1.0)
                  : std::numeric_limits<float>::max();
  if (profile.has_variance()) {
    f.gain = static_cast<float>(p.gain_dn_per_e);
    f.read_var = static_cast<float>(p.read_noise_dn * p.read_noise_dn);
  }
  std::visit([&](const auto& view) { convert(view, profile, f, data, mask, variance, summary); }, frame);

  // Bad pixels last, from neighbours that are calibrated already. Marked first, so that none repairs another.
  for (const std::size_t i : profile.bad_pixels()) mask(i / p.width, i % p.width) |= mask_bad;
  for (const std::size_t i : profile.bad_pixels()) {
    std::uint8_t& bits = mask(i / p.width, i % p.width);
    summary.saturated -= (bits & mask_saturated) != 0;
    summary.underflow -= (bits & mask_underflow) != 0;
    summary.not_finite -= (bits & mask_not_finite) != 0;
    const bool ok = repair(i, data, mask, variance);
    // The bad pixel's own count says nothing: only the frame's bits and its fate stay.
    bits = static_cast<std::uint8_t>(f.frame_bits | (ok ? mask_repaired : mask_bad));
    if (!ok) data(i / p.width, i % p.width) = std::numeric_limits<float>::quiet_NaN();
    (ok ? summary.repaired : summary.bad) += 1;
  }
  return summary;
}

}  // namespace pyicg
