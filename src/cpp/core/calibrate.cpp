#include "pyicg/calibrate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "detail/number.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

using detail::number;

constexpr std::uint8_t ambient_bits = mask_saturated | mask_excluded | mask_out_of_range | mask_not_finite;

// What every pixel's arithmetic needs, in float32 throughout: the same operations on every machine.
struct Factors {
  float elapsed;        // ms, from the exposure of the dark map to this frame's
  float dark_elapsed;   // ms, the same as the dark signal sees it: at another gain its electrons make other counts
  float scale;          // unit / (exposure x gain)
  float gain_factor;    // of this frame over the profile's
  float gain;           // DN per electron
  float read_noise;     // DN
  float dark_stretch2;  // variance of the dark map at this exposure over that at its mean exposure
  float saturation;     // DN
  float highest;        // largest count that can be
  bool flag_zero;       // a dark map is there: a count of 0 is a clipped one
  std::uint8_t frame_bits;
};

struct Cubic {
  float c1, c2, c3;
  [[nodiscard]] float value(float x) const { return x * (c1 + x * (c2 + x * c3)); }
  [[nodiscard]] float slope(float x) const { return c1 + x * (2.0F * c2 + x * 3.0F * c3); }
};

struct Table {
  const Profile::Piece* pieces;
  float last;  // index of the last piece
  float step;
  [[nodiscard]] const Profile::Piece& at(float x) const {
    return pieces[static_cast<std::size_t>(std::min(std::max(0.0F, x / step), last))];  // a NaN becomes 0
  }
  [[nodiscard]] float value(float x) const {
    const Profile::Piece& p = at(x);
    return p.value + p.slope * (x - p.start);
  }
  [[nodiscard]] float slope(float x) const { return at(x).slope; }
};

// Where the pass reads and writes.
struct Views {
  ImageView<float> data;
  ImageView<std::uint8_t> mask;
  ImageView<float> variance;
  ImageView<const std::uint8_t> exclude;
  Ambient ambient;
};

// Calls act(x, map[x]) along one row, or act(x, otherwise) where there is no map: the choice is made once per row, so
// that the compiler can turn each loop into vector instructions.
template <class Act>
void along(const std::vector<float>& map, std::size_t y, std::size_t width, float otherwise, const Act& act) {
  if (map.empty()) {
    for (std::size_t x = 0; x < width; ++x) act(x, otherwise);
    return;
  }
  const float* row = map.data() + y * width;
  for (std::size_t x = 0; x < width; ++x) act(x, row[x]);
}

// Counts to counts above the dark level of this exposure.
template <class Pixel>
void subtract_dark(const Pixel* in, const ProfileData& p, const Factors& f, std::size_t y, float* out) {
  if (p.dark_rate.empty() || f.dark_elapsed == 0.0F) {
    along(p.dark, y, p.width, 0.0F, [=](std::size_t x, float dark) { out[x] = static_cast<float>(in[x]) - dark; });
    return;
  }
  const float* dark = p.dark.data() + y * p.width;
  const float* rate = p.dark_rate.data() + y * p.width;
  for (std::size_t x = 0; x < p.width; ++x) out[x] = static_cast<float>(in[x]) - (dark[x] + rate[x] * f.dark_elapsed);
}

// Noise of the linear signal, DN^2: shot noise, and read noise, dark current and dark map carried through the
// linearity. The shot noise of counts that happen to lie below the dark level is negative, so that the mean over dark
// pixels is right; the sum never falls below the rounding to whole counts.
template <class Curve>
void noise(const float* above, const ProfileData& p, const Factors& f, const Curve& curve, std::size_t y, float* out) {
  constexpr float rounding = 1.0F / 12.0F;  // DN^2, EMVA 1288 sigma_q^2: unlike the dark noise it does not follow gain
  const float change = f.gain_factor * f.gain_factor - 1.0F;
  along(p.read_noise_map, y, p.width, f.read_noise, [=](std::size_t x, float read) { out[x] = read * read; });
  if (!p.dark_rate.empty() && f.elapsed != 0.0F) {
    // Read noise was measured with the dark current of the profile's exposure: another exposure has more or less of it.
    along(p.gain_map, y, p.width, f.gain,
          [=, rate = p.dark_rate.data() + y * p.width, elapsed = f.elapsed](std::size_t x, float gain) {
            out[x] = std::max(out[x] + gain * rate[x] * elapsed, std::min(out[x], rounding));
          });
  }
  for (std::size_t x = 0; x < p.width; ++x) out[x] += change * std::max(out[x] - rounding, 0.0F);
  if (!p.dark_sigma.empty()) {
    along(p.dark_sigma, y, p.width, 0.0F,
          [=, stretch2 = f.dark_stretch2](std::size_t x, float sigma) { out[x] += sigma * sigma * stretch2; });
  }
  along(p.gain_map, y, p.width, f.gain, [=, factor = f.gain_factor](std::size_t x, float gain) {
    const float slope = curve.slope(above[x]);
    const float square = slope * slope;
    const float shot = gain * factor * curve.value(above[x]);
    out[x] = std::max(shot + out[x] * square, std::min(out[x], rounding) * square);
  });
}

// One row from counts to signal and variance, in place: `out` holds first the counts above dark.
template <class Pixel, class Curve>
void convert_row(const Pixel* in, const Profile& profile, const Factors& f, const Curve& curve, std::size_t y,
                 const Views& v) {
  const ProfileData& p = profile.data();
  const std::size_t width = p.width;
  float* out = v.data.row(y);
  float* variance = v.variance.data != nullptr ? v.variance.row(y) : nullptr;
  subtract_dark(in, p, f, y, out);
  if (variance != nullptr) noise(out, p, f, curve, y, variance);
  along(profile.inverse_flat(), y, width, 1.0F, [=, scale = f.scale](std::size_t x, float inverse) {
    const float factor = inverse * scale;
    out[x] = curve.value(out[x]) * factor;
    if (variance != nullptr) variance[x] *= factor * factor;
  });
  if (variance != nullptr && !p.flat_sigma.empty()) {
    along(p.flat_sigma, y, width, 0.0F, [=](std::size_t x, float sigma) {
      const float error = out[x] * sigma;
      variance[x] += error * error;
    });
  }
  if (v.ambient.data.data == nullptr) return;
  const float* ambient = v.ambient.data.row(y);
  for (std::size_t x = 0; x < width; ++x) out[x] -= ambient[x];
  if (variance == nullptr) return;
  const float* ambient_variance = v.ambient.variance.row(y);
  for (std::size_t x = 0; x < width; ++x) variance[x] += ambient_variance[x];
}

template <class Pixel>
void flag_row(const Pixel* in, const Factors& f, std::size_t y, const Views& v, CalibrationSummary& summary) {
  const std::size_t width = v.data.width;
  float* out = v.data.row(y);
  std::uint8_t* bits = v.mask.row(y);
  const float saturation = f.saturation;  // copies: a store to `bits` may change what a reference points to
  const int zero_bit = f.flag_zero ? mask_underflow : 0;
  const int frame_bits = f.frame_bits;
  for (std::size_t x = 0; x < width; ++x) {  // no branches: this loop is vector instructions too
    const auto count = static_cast<float>(in[x]);
    const int saturated = static_cast<int>(count >= saturation) * mask_saturated;
    const int underflow = static_cast<int>(count <= 0.0F) * zero_bit;
    const int finite = static_cast<int>(std::abs(out[x]) <= std::numeric_limits<float>::max());
    bits[x] = static_cast<std::uint8_t>(frame_bits | (saturated | underflow) * finite | mask_not_finite * (1 - finite));
    out[x] = finite != 0 ? out[x] : std::numeric_limits<float>::quiet_NaN();
  }
  if (v.variance.data != nullptr) {
    float* variance = v.variance.row(y);
    for (std::size_t x = 0; x < width; ++x) variance[x] = std::isnan(out[x]) ? out[x] : variance[x];
  }
  if (v.exclude.data != nullptr) {
    const std::uint8_t* exclude = v.exclude.row(y);
    for (std::size_t x = 0; x < width; ++x) bits[x] |= static_cast<std::uint8_t>(exclude[x] != 0 ? mask_excluded : 0);
  }
  if (v.ambient.data.data != nullptr) {
    const std::uint8_t* ambient = v.ambient.mask.row(y);
    for (std::size_t x = 0; x < width; ++x) bits[x] |= static_cast<std::uint8_t>(ambient[x] & ambient_bits);
  }
  std::uint32_t saturated = 0;
  std::uint32_t underflow = 0;
  std::uint32_t not_finite = 0;
  for (std::size_t x = 0; x < width; ++x) {
    saturated += (bits[x] & mask_saturated) != 0 ? 1U : 0U;
    underflow += (bits[x] & mask_underflow) != 0 ? 1U : 0U;
    not_finite += (bits[x] & mask_not_finite) != 0 ? 1U : 0U;
  }
  summary.saturated += saturated;
  summary.underflow += underflow;
  summary.not_finite += not_finite;
}

// The largest finite count, and whether all finite counts are whole.
template <class Pixel>
std::pair<float, bool> range_of(ImageView<const Pixel> raw) {
  Pixel highest = 0;
  bool whole = true;
  for (std::size_t y = 0; y < raw.height; ++y) {
    const Pixel* in = raw.row(y);
    for (std::size_t x = 0; x < raw.width; ++x) {
      if constexpr (std::is_floating_point_v<Pixel>) {
        if (!std::isfinite(in[x])) continue;
        whole &= in[x] == std::trunc(in[x]);
      }
      highest = std::max(highest, in[x]);
    }
  }
  return {static_cast<float>(highest), whole};
}

// Median of the valid 8-neighbours: keeps an edge where a mean would smear it. False: no valid neighbour.
bool repair(std::size_t y, std::size_t x, const Views& v) {
  constexpr std::uint8_t unusable = mask_saturated | mask_bad | mask_excluded | mask_repaired | mask_not_finite;
  const bool with_variance = v.variance.data != nullptr;
  std::array<std::pair<float, float>, 8> found{};
  std::size_t count = 0;
  for (std::size_t yy = y == 0 ? 0 : y - 1; yy <= std::min(y + 1, v.data.height - 1); ++yy) {
    for (std::size_t xx = x == 0 ? 0 : x - 1; xx <= std::min(x + 1, v.data.width - 1); ++xx) {
      if ((v.mask(yy, xx) & unusable) != 0) continue;
      const std::pair<float, float> next{v.data(yy, xx), with_variance ? v.variance(yy, xx) : 0.0F};
      std::size_t place = count++;  // kept in ascending order
      for (; place > 0 && next < found.at(place - 1); --place) found.at(place) = found.at(place - 1);
      found.at(place) = next;
    }
  }
  if (count == 0) return false;
  const auto& upper = found.at(count / 2);
  const auto& lower = found.at((count - 1) / 2);
  v.data(y, x) = 0.5F * (lower.first + upper.first);
  if (with_variance) v.variance(y, x) = std::max(lower.second, upper.second);
  return true;
}

// Bad pixels last, from neighbours that are calibrated already. Marked first, so that none repairs another.
void repair_bad(const Profile& profile, const Views& v, CalibrationSummary& summary) {
  const std::size_t width = profile.data().width;
  for (const std::size_t i : profile.bad_pixels()) v.mask(i / width, i % width) |= mask_bad;
  for (const std::size_t i : profile.bad_pixels()) {
    const std::size_t y = i / width;
    const std::size_t x = i % width;
    std::uint8_t& bits = v.mask(y, x);
    summary.saturated -= (bits & mask_saturated) != 0;
    summary.underflow -= (bits & mask_underflow) != 0;
    summary.not_finite -= (bits & mask_not_finite) != 0;
    const bool ok = repair(y, x, v);
    // The bad pixel's own count says nothing: only what was said of its place stays, and its fate.
    bits = static_cast<std::uint8_t>((bits & (mask_out_of_range | mask_excluded)) | (ok ? mask_repaired : mask_bad));
    if (!ok) v.data(y, x) = std::numeric_limits<float>::quiet_NaN();
    if (!ok && v.variance.data != nullptr) v.variance(y, x) = std::numeric_limits<float>::quiet_NaN();
    (ok ? summary.repaired : summary.bad) += 1;
  }
}

template <class Pixel, class Curve>
void convert(ImageView<const Pixel> raw, const Profile& profile, const Factors& f, const Curve& curve, const Views& v,
             CalibrationSummary& summary) {
  for (std::size_t y = 0; y < raw.height; ++y) {
    convert_row(raw.row(y), profile, f, curve, y, v);
    flag_row(raw.row(y), f, y, v, summary);
  }
  repair_bad(profile, v, summary);
}

bool given(double value) { return !std::isnan(value); }

SignalUnit unit_of(SignalUnit asked, const ProfileData& p, bool exposed) {
  if (asked == SignalUnit::automatic) return exposed ? SignalUnit::dn_per_ms : SignalUnit::dn;
  const std::string name = unit_name(asked);
  const bool electrons = asked == SignalUnit::electrons || asked == SignalUnit::electrons_per_ms;
  const bool total = asked == SignalUnit::dn || asked == SignalUnit::electrons;
  if (!exposed && !total) {
    const std::string remedy =
        asked == SignalUnit::nanomolar ? "" : std::string(", or ask for ") + (electrons ? "\"e\"" : "\"DN\"");
    throw Error(ErrorKind::profile, "the unit \"" + name +
                                        "\" needs an exposure, and neither frame nor profile tells one; give "
                                        "exposure_ms" +
                                        remedy);
  }
  if (exposed && total) {
    throw Error(ErrorKind::unit, "the unit \"" + name + "\" is for frames without an exposure, and this one has one; " +
                                     "ask for \"" + name + "/ms\"");
  }
  if (electrons && !given(p.gain_dn_per_e)) {
    throw Error(ErrorKind::profile, "the unit \"" + name +
                                        "\" needs gain_dn_per_e, which the profile does not know; build the profile "
                                        "from two or more dark and flat frames, or ask for DN");
  }
  if (asked == SignalUnit::nanomolar && !given(p.response_nm_per_dn_ms)) {
    throw Error(ErrorKind::profile,
                "the unit \"nM\" needs response_nm_per_dn_ms, which the profile does not know; build the profile with "
                "a target series (response=), or ask for DN/ms");
  }
  return asked;
}

// Linear DN to the unit, before exposure and gain.
double unit_factor(SignalUnit unit, const ProfileData& p) {
  switch (unit) {
    case SignalUnit::electrons:
    case SignalUnit::electrons_per_ms:
      return 1.0 / p.gain_dn_per_e;
    case SignalUnit::nanomolar:
      return p.response_nm_per_dn_ms;
    default:
      return 1.0;
  }
}

std::string shape_of(const auto& view) { return std::to_string(view.height) + " x " + std::to_string(view.width); }

// Lowest address and one past the highest.
template <class T>
std::pair<std::uintptr_t, std::uintptr_t> span_of(const ImageView<T>& view) {
  auto first = reinterpret_cast<std::uintptr_t>(view.row(0));
  auto last = reinterpret_cast<std::uintptr_t>(view.row(view.height - 1));
  if (last < first) std::swap(first, last);
  return {first, last + view.width * sizeof(T)};
}

void check_views(const RawFrame& frame, const ProfileData& p, const Profile& profile, const Views& v) {
  const auto shape_is = [&](const auto& view) { return view.height == p.height && view.width == p.width; };
  const auto fits = [&](const auto& view) { return view.data == nullptr || shape_is(view); };
  std::visit(
      [&](const auto& view) {
        if (!shape_is(view)) {
          throw Error(ErrorKind::input, "the frame is " + shape_of(view) + ", its profile " + shape_of(p) +
                                            "; use the profile of this camera mode");
        }
      },
      frame);
  if (!shape_is(v.data) || !shape_is(v.mask) || !fits(v.variance)) {
    throw Error(ErrorKind::input, "the output arrays must have the shape of the profile, " + shape_of(p));
  }
  if (!fits(v.exclude)) {
    throw Error(ErrorKind::input, "exclude is " + shape_of(v.exclude) + ", expected the frame's " + shape_of(p));
  }
  if (v.variance.data != nullptr && !profile.has_variance()) {
    throw Error(ErrorKind::profile, "no variance without gain_dn_per_e and read_noise_dn in the profile");
  }
  const auto apart = [&](const auto& view, const char* name) {
    if (view.data == nullptr) return;
    const auto [first, last] = span_of(view);
    const auto [out_first, out_last] = span_of(v.data);
    if (first < out_last && out_first < last) {
      throw Error(ErrorKind::input, std::string("out shares memory with ") + name +
                                        ", which would be overwritten while it is read; use another array");
    }
  };
  std::visit([&](const auto& view) { apart(view, "the frame"); }, frame);
  const Ambient& a = v.ambient;
  if (a.data.data == nullptr) return;
  if (!shape_is(a.data) || !shape_is(a.mask) || !fits(a.variance)) {
    throw Error(ErrorKind::input, "the ambient frame is " + shape_of(a.data) + ", the frame " + shape_of(p) +
                                      "; film both in one camera mode");
  }
  if (v.variance.data != nullptr && a.variance.data == nullptr) {
    throw Error(ErrorKind::input,
                "the ambient frame has no variance, and variances add; calibrate it with its variance, or this frame "
                "without one");
  }
  apart(a.data, "the ambient frame");
  apart(a.variance, "the variance of the ambient frame");
}

Factors factors_of(const ProfileData& p, const CalibrationSummary& s, double scale, double gain_factor,
                   double word_max) {
  const double exposure = s.exposure_ms;
  Factors f{};
  f.elapsed = given(exposure) && given(p.exposure_ms) ? static_cast<float>(exposure - p.exposure_ms) : 0.0F;
  f.dark_elapsed =
      given(exposure) && given(p.exposure_ms) ? static_cast<float>(gain_factor * exposure - p.exposure_ms) : 0.0F;
  f.scale = static_cast<float>(scale);
  f.gain_factor = static_cast<float>(gain_factor);
  f.gain = static_cast<float>(p.gain_dn_per_e);
  f.read_noise = static_cast<float>(p.read_noise_dn);
  const double from_mean = (exposure - p.dark_mean_exposure_ms) / p.dark_exposure_sd_ms;
  f.dark_stretch2 = given(from_mean) ? static_cast<float>(1 + from_mean * from_mean) : 1.0F;
  f.saturation = static_cast<float>(std::min(p.saturation_dn, word_max));
  f.flag_zero = !p.dark.empty();
  f.frame_bits = s.out_of_range ? mask_out_of_range : 0;
  // A count above full scale means another bit depth than the profile's. Full scale is 2^n - 1 at or above saturation.
  f.highest = std::isfinite(p.saturation_dn) && std::isfinite(word_max)
                  ? static_cast<float>(std::exp2(std::ceil(std::log2(p.saturation_dn + 1.0))) - 1.0)
                  : std::numeric_limits<float>::max();
  return f;
}

}  // namespace

const char* unit_name(SignalUnit unit) noexcept {
  switch (unit) {
    case SignalUnit::automatic:
      return "";
    case SignalUnit::dn:
      return "DN";
    case SignalUnit::dn_per_ms:
      return "DN/ms";
    case SignalUnit::electrons:
      return "e";
    case SignalUnit::electrons_per_ms:
      return "e/ms";
    case SignalUnit::nanomolar:
      return "nM";
  }
  return "";
}

CalibrationSummary calibrate(const RawFrame& frame, const Profile& profile, const Exposure& exposure,
                             ImageView<float> data, ImageView<std::uint8_t> mask, ImageView<float> variance,
                             const CalibrationOptions& options) {
  const ProfileData& p = profile.data();
  const Views v{data, mask, variance, options.exclude, options.ambient};
  check_views(frame, p, profile, v);
  if (given(exposure.exposure_ms) && !(exposure.exposure_ms > 0 && std::isfinite(exposure.exposure_ms))) {
    throw Error(ErrorKind::unit, "exposure_ms must be positive, found " + number(exposure.exposure_ms));
  }
  if (std::isinf(exposure.gain_db)) {
    throw Error(ErrorKind::unit, "gain_db must be finite, found " + number(exposure.gain_db));
  }
  if (p.calibrated && given(exposure.gain_db) && !given(p.gain_db)) {
    throw Error(ErrorKind::profile, "the frame was taken at " + number(exposure.gain_db) +
                                        " dB, and the profile does not know its own gain setting; build it with "
                                        "gain_db, or leave the frame's out");
  }

  CalibrationSummary summary;
  summary.exposure_ms = given(exposure.exposure_ms) ? exposure.exposure_ms : p.exposure_ms;
  summary.unit = unit_of(options.unit, p, given(summary.exposure_ms));
  if (v.ambient.data.data != nullptr && v.ambient.unit != summary.unit) {
    throw Error(ErrorKind::input, std::string("the ambient frame is in \"") + unit_name(v.ambient.unit) +
                                      "\", the frame in \"" + unit_name(summary.unit) +
                                      "\"; calibrate both to one unit");
  }
  // A profile holds where it was measured: 0.1 % allows for the rounding of a camera's exposure register.
  constexpr double tolerance = 1e-3;
  summary.out_of_range = (given(p.exposure_min_ms) && summary.exposure_ms < p.exposure_min_ms * (1 - tolerance)) ||
                         (given(p.exposure_max_ms) && summary.exposure_ms > p.exposure_max_ms * (1 + tolerance));
  const double gain_factor =
      given(exposure.gain_db) && given(p.gain_db) ? std::pow(10.0, (exposure.gain_db - p.gain_db) / 20.0) : 1.0;
  const double word_max = std::visit(
      []<class Pixel>(const ImageView<const Pixel>&) -> double {
        return std::is_floating_point_v<Pixel> ? infinity : static_cast<double>(std::numeric_limits<Pixel>::max());
      },
      frame);
  const double scale =
      unit_factor(summary.unit, p) / (given(summary.exposure_ms) ? summary.exposure_ms : 1.0) / gain_factor;
  const Factors f = factors_of(p, summary, scale, gain_factor, word_max);
  const std::vector<Profile::Piece>& pieces = profile.linearity_pieces();
  const Cubic cubic{static_cast<float>(p.linearity[0]), static_cast<float>(p.linearity[1]),
                    static_cast<float>(p.linearity[2])};
  std::visit(
      [&](const auto& view) {
        const auto [highest, whole] = range_of(view);
        if (highest > f.highest) {
          throw Error(ErrorKind::input, "the frame holds counts up to " + number(static_cast<double>(highest)) +
                                            ", but its profile says " + number(static_cast<double>(f.highest)) +
                                            " is the largest there can be; use the profile of this camera and bit "
                                            "depth");
        }
        const float first_slope = pieces.empty() ? cubic.c1 : pieces.front().slope;
        summary.step = whole ? static_cast<double>(f.scale * first_slope) : 0.0;
        summary.offset = (profile.mean_dark() + profile.mean_dark_rate() * static_cast<double>(f.dark_elapsed)) * scale;
        if (pieces.empty()) {
          convert(view, profile, f, cubic, v, summary);
        } else {
          const Table table{pieces.data(), static_cast<float>(pieces.size() - 1),
                            static_cast<float>(p.linearity_step_dn)};
          convert(view, profile, f, table, v, summary);
        }
      },
      frame);
  return summary;
}

}  // namespace pyicg
