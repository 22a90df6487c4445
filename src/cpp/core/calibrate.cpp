#include "pyicg/calibrate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../kernels/calibrate_rows.hpp"
#include "detail/number.hpp"
#include "detail/parallel.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

using detail::number;
using Factors = kernels::CalibrationFactors;

// Where the pass reads and writes.
struct Views {
  ImageView<float> data;
  ImageView<std::uint8_t> mask;
  ImageView<float> variance;
  ImageView<const std::uint8_t> exclude;
  Ambient ambient;
};

// The largest finite count, and whether all finite counts are whole.
template <class Pixel>
std::pair<float, bool> range_of(ImageView<const Pixel> raw, const kernels::CalibrationRowKernels<Pixel>& rows,
                                const Threads& threads) {
  float highest = 0;
  bool whole = true;
  std::mutex mutex;
  detail::parallel_ranges(raw.height, threads, [&](std::size_t first, std::size_t last) {
    float part = 0;
    bool part_whole = true;
    for (std::size_t y = first; y < last; ++y) part_whole &= rows.range(raw.row(y), raw.width, part);
    const std::scoped_lock lock(mutex);
    highest = std::max(highest, part);
    whole &= part_whole;
  });
  return {highest, whole};
}

kernels::CalibrationMaps maps_of(const Profile& profile, const Views& v, std::size_t y) {
  const ProfileData& p = profile.data();
  const auto row = [&](const std::vector<float>& map) { return map.empty() ? nullptr : map.data() + y * p.width; };
  const auto line = [&](const auto& view) { return view.data == nullptr ? nullptr : view.row(y); };
  return {.dark = row(p.dark),
          .dark_rate = row(p.dark_rate),
          .dark_sigma = row(p.dark_sigma),
          .inverse_flat = row(profile.inverse_flat()),
          .flat_sigma = row(p.flat_sigma),
          .read_noise = row(p.read_noise_map),
          .gain = row(p.gain_map),
          .ambient = line(v.ambient.data),
          .ambient_variance = line(v.ambient.variance),
          .ambient_mask = v.ambient.data.data == nullptr ? nullptr : line(v.ambient.mask),
          .exclude = line(v.exclude)};
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

// Bad pixels from neighbours that are calibrated already. Both rows beside must be marked before one is repaired, so
// that no bad pixel repairs another; what has been repaired does not either, so that the order of rows is free.
class BadPixels {
 public:
  BadPixels(const Profile& profile, const Views& views)
      : width_(profile.data().width), all_(profile.bad_pixels()), views_(views) {}

  void mark(std::size_t y) const {
    for (const std::size_t i : of_row(y)) views_.mask(y, i % width_) |= mask_bad;
  }

  void repair_row(std::size_t y, CalibrationSummary& summary) const {
    for (const std::size_t i : of_row(y)) {
      const std::size_t x = i % width_;
      std::uint8_t& bits = views_.mask(y, x);
      summary.saturated -= (bits & mask_saturated) != 0;
      summary.underflow -= (bits & mask_underflow) != 0;
      summary.not_finite -= (bits & mask_not_finite) != 0;
      const bool ok = repair(y, x, views_);
      // The bad pixel's own count says nothing: only what was said of its place stays, and its fate.
      bits = static_cast<std::uint8_t>((bits & (mask_out_of_range | mask_excluded)) | (ok ? mask_repaired : mask_bad));
      if (!ok) views_.data(y, x) = std::numeric_limits<float>::quiet_NaN();
      if (!ok && views_.variance.data != nullptr) views_.variance(y, x) = std::numeric_limits<float>::quiet_NaN();
      (ok ? summary.repaired : summary.bad) += 1;
    }
  }

 private:
  [[nodiscard]] std::span<const std::size_t> of_row(std::size_t y) const {
    const auto first = std::lower_bound(all_.begin(), all_.end(), y * width_);
    const auto last = std::lower_bound(first, all_.end(), (y + 1) * width_);
    return {first, last};
  }

  std::size_t width_;
  std::span<const std::size_t> all_;  // in order
  const Views& views_;
};

void add(CalibrationSummary& sum, const CalibrationSummary& part) {
  sum.saturated += part.saturated;
  sum.underflow += part.underflow;
  sum.not_finite += part.not_finite;
  sum.repaired += part.repaired;
  sum.bad += part.bad;
}

// By bands of rows. Bad pixels are repaired while their rows are in cache, but for those at the ends of a band, which
// wait for the bands beside it.
template <class Pixel>
void convert(ImageView<const Pixel> raw, const Profile& profile, const Factors& f,
             const kernels::CalibrationRowKernels<Pixel>& rows, const Views& v, const Threads& threads,
             std::size_t band_rows, CalibrationSummary& summary) {
  const ProfileData& p = profile.data();
  const std::vector<Profile::Piece>& pieces = profile.linearity_pieces();
  const kernels::LinearityCurve curve{static_cast<float>(p.linearity[0]),
                                      static_cast<float>(p.linearity[1]),
                                      static_cast<float>(p.linearity[2]),
                                      pieces.empty() ? nullptr : pieces.data(),
                                      pieces.empty() ? 0.0F : static_cast<float>(pieces.size() - 1),
                                      static_cast<float>(p.linearity_step_dn)};
  const BadPixels bad(profile, v);
  const auto waits = [&](std::size_t y) {
    return (y % band_rows == 0 && y > 0) || (y % band_rows == band_rows - 1 && y + 1 < raw.height);
  };
  std::mutex mutex;
  const auto calibrate_rows = [&](std::size_t first, std::size_t last) {
    CalibrationSummary part;
    for (std::size_t y = first; y < last; ++y) {
      float* variance = v.variance.data == nullptr ? nullptr : v.variance.row(y);
      const kernels::FlagCounts counts = rows.convert(raw.row(y), raw.width, f, curve, maps_of(profile, v, y),
                                                      {v.data.row(y), v.mask.row(y), variance});
      part.saturated += counts.saturated;
      part.underflow += counts.underflow;
      part.not_finite += counts.not_finite;
      bad.mark(y);
      if (y > first && !waits(y - 1)) bad.repair_row(y - 1, part);
    }
    if (!waits(last - 1)) bad.repair_row(last - 1, part);
    const std::scoped_lock lock(mutex);
    add(summary, part);
  };
  const std::size_t bands = (raw.height + band_rows - 1) / band_rows;
  detail::parallel_ranges(bands, threads, [&](std::size_t first, std::size_t last) {
    calibrate_rows(first * band_rows, std::min(last * band_rows, raw.height));
  });
  for (std::size_t y = 0; y < raw.height; ++y) {
    if (waits(y)) bad.repair_row(y, summary);
  }
}

template <class Pixel>
const kernels::CalibrationRowKernels<Pixel>& row_kernels() {
  const kernels::CalibrationKernels& all = kernels::calibration_kernels();
  if constexpr (std::is_same_v<Pixel, std::uint8_t>) {
    return all.bytes;
  } else if constexpr (std::is_same_v<Pixel, std::uint16_t>) {
    return all.words;
  } else {
    return all.floats;
  }
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
    const auto [out_first, out_last] = span_of(v.data);
    const auto [whole_first, whole_last] = span_of(view);
    if (whole_first >= out_last || out_first >= whole_last) return;
    for (std::size_t y = 0; y < view.height; ++y) {  // what lies between two rows may be anybody's
      const auto first = reinterpret_cast<std::uintptr_t>(view.row(y));
      if (first >= out_last || out_first >= first + view.width * sizeof(*view.data)) continue;
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

  if (options.band_rows == 0) throw Error(ErrorKind::input, "band_rows is 0, expected at least 1");

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
  // Assumed: far from any camera, and squares are floats too.
  const auto sane = [](double factor) { return factor >= 1e-15 && factor <= 1e15; };
  if (!sane(scale) || !sane(gain_factor)) {
    throw Error(ErrorKind::unit, "at exposure_ms = " + number(summary.exposure_ms) +
                                     " and gain_db = " + number(exposure.gain_db) + " a count is worth " +
                                     number(scale) + " " + unit_name(summary.unit) +
                                     ", expected 1e-15 to 1e15; give the exposure in ms and the gain in dB");
  }
  const Factors f = factors_of(p, summary, scale, gain_factor, word_max);
  const std::vector<Profile::Piece>& pieces = profile.linearity_pieces();
  std::visit(
      [&]<class Pixel>(const ImageView<const Pixel>& view) {
        const auto& rows = row_kernels<Pixel>();
        const auto [highest, whole] = range_of(view, rows, options.threads);
        if (highest > f.highest) {
          throw Error(ErrorKind::input, "the frame holds counts up to " + number(static_cast<double>(highest)) +
                                            ", but its profile says " + number(static_cast<double>(f.highest)) +
                                            " is the largest there can be; use the profile of this camera and bit "
                                            "depth");
        }
        const float first_slope = pieces.empty() ? static_cast<float>(p.linearity[0]) : pieces.front().slope;
        summary.step = whole ? static_cast<double>(f.scale * first_slope) : 0.0;
        summary.offset = (profile.mean_dark() + profile.mean_dark_rate() * static_cast<double>(f.dark_elapsed)) * scale;
        convert(view, profile, f, rows, v, options.threads, options.band_rows, summary);
      },
      frame);
  return summary;
}

}  // namespace pyicg
