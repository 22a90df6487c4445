#include "pyicg/calibrate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;
using scene::Plane;

namespace {

using pyicg::nan;  // not the C library's

constexpr float nan_f = std::numeric_limits<float>::quiet_NaN();
constexpr float inf_f = std::numeric_limits<float>::infinity();

ProfileData plain(std::size_t height, std::size_t width) {
  ProfileData p;
  p.height = height;
  p.width = width;
  p.saturation_dn = 4095;
  return p;
}

struct Result {
  Image data;
  Mask mask;
  Image variance;
  CalibrationSummary summary;
};

Result run(const RawFrame& frame, const Profile& profile, const Exposure& exposure = {},
           const CalibrationOptions& options = {}) {
  const std::size_t h = profile.data().height;
  const std::size_t w = profile.data().width;
  Result r{Image(h, w), Mask(h, w), Image(h, w), {}};
  const auto variance = profile.has_variance() ? r.variance.view() : ImageView<float>{};
  r.summary = calibrate(frame, profile, exposure, r.data.view(), r.mask.view(), variance, options);
  return r;
}

// Linearity as a cubic and as a table of four pieces; beyond its ends the first and last slope go on.
struct Curve {
  std::vector<double> table;
  double step = nan;
  [[nodiscard]] double value(double x) const {
    if (table.empty()) return x * (1.02 + x * (1e-4 - x * 1e-7));
    const std::size_t k = piece(x);
    return table[k] + slope(x) * (x - static_cast<double>(k) * step);
  }
  [[nodiscard]] double slope(double x) const {
    if (table.empty()) return 1.02 + x * (2e-4 - x * 3e-7);
    const std::size_t k = piece(x);
    return (table[k + 1] - table[k]) / step;
  }

 private:
  [[nodiscard]] std::size_t piece(double x) const {
    const double last = static_cast<double>(table.size()) - 2;
    return static_cast<std::size_t>(std::clamp(std::floor(x / step), 0.0, last));
  }
};

// Every term of the formula at once, against the same formula in double.
template <class Pixel>
void formula(const Curve& curve) {
  constexpr std::size_t n = 6;
  ProfileData p = plain(2, 3);
  p.dark = {10, 11, 12, 13, 14, 15};
  p.dark_rate = {0.1F, 0.2F, 0, -0.1F, 0.3F, 0.4F};
  p.dark_sigma = {0.5F, 1, 1.5F, 2, 2.5F, 3};
  p.flat = {0.5F, 0.8F, 1.0F, 1.1F, 1.25F, 1.35F};
  p.flat_sigma = {0.01F, 0.02F, 0.03F, 0.04F, 0.05F, 0.06F};
  p.read_noise_map = {0.2F, 2, 3, 4, 5, 6};  // the first is smaller than rounding alone
  p.gain_map = {0.3F, 0.35F, 0.4F, 0.45F, 0.5F, 0.55F};
  p.linearity = {1.02, 1e-4, -1e-7};
  p.linearity_table = curve.table;
  p.linearity_step_dn = curve.step;
  p.saturation_dn = 250;
  p.exposure_ms = 20;
  p.dark_mean_exposure_ms = 25;
  p.dark_exposure_sd_ms = 10;
  p.gain_db = 6;
  p.gain_dn_per_e = 0.4;
  p.response_nm_per_dn_ms = 7;
  p.calibrated = true;
  const Profile profile(p);
  check::is_true(profile.has_variance(), "maps alone give a variance");
  Plane<Pixel> raw(2, 3);
  for (std::size_t i = 0; i < n; ++i) raw.pixels[i] = static_cast<Pixel>(5 + 40 * i);
  Image ambient_data(2, 3);
  Image ambient_variance(2, 3);
  for (std::size_t i = 0; i < n; ++i) {
    ambient_data.pixels[i] = 0.25F * static_cast<float>(i);
    ambient_variance.pixels[i] = 0.01F * static_cast<float>(i);
  }
  const Mask ambient_mask(2, 3);
  const double gain = std::pow(10.0, (12.0 - 6.0) / 20.0);
  const std::vector<std::pair<SignalUnit, double>> units{
      {SignalUnit::dn_per_ms, 1.0}, {SignalUnit::electrons_per_ms, 1 / 0.4}, {SignalUnit::nanomolar, 7.0}};
  for (const auto& [unit, quantity] : units) {
    CalibrationOptions options;
    options.unit = unit;
    options.ambient = {ambient_data.view(), ambient_mask.view(), ambient_variance.view(), unit};
    const Result r = run(raw.view(), profile, {40, 12}, options);
    const double scale = quantity / 40 / gain;
    for (std::size_t i = 0; i < n; ++i) {
      const auto at = [i](const std::vector<float>& map) { return static_cast<double>(map[i]); };
      const double x = 5 + 40 * static_cast<double>(i) - at(p.dark) - at(p.dark_rate) * (gain * 40 - 20);
      const double factor = scale / at(p.flat);
      const double signal = curve.value(x) * factor;
      check::near(static_cast<double>(r.data.pixels[i]), signal - at(ambient_data.pixels),
                  2e-6 * (1 + std::abs(signal)));
      const double at_20_ms = at(p.read_noise_map) * at(p.read_noise_map);
      const double current = at(p.gain_map) * at(p.dark_rate) * 20;
      const double square = std::max(at_20_ms + current, std::min(at_20_ms, 1.0 / 12));
      const double read = square > 1.0 / 12 ? (square - 1.0 / 12) * gain * gain + 1.0 / 12 : square;
      const double dark = at(p.dark_sigma) * at(p.dark_sigma) * (1 + 1.5 * 1.5);
      const double slope = curve.slope(x);
      const double shot = gain * at(p.gain_map) * curve.value(x);
      const double noise =
          std::max(shot + (read + dark) * slope * slope, std::min(read + dark, 1.0 / 12) * slope * slope);
      const double flat = signal * at(p.flat_sigma);
      const double variance = noise * factor * factor + flat * flat + at(ambient_variance.pixels);
      check::near(static_cast<double>(r.variance.pixels[i]), variance, 4e-6 * variance);
      check::equal(r.mask.pixels[i], 0);
    }
    check::is_true(r.summary.unit == unit, "the unit asked for");
    check::equal(r.summary.exposure_ms, 40.0);
    check::near(r.summary.offset, (12.5 + 0.15 * (gain * 40 - 20)) * scale, 1e-6 * scale);
    check::near(r.summary.step, curve.slope(0) * scale, 1e-6 * scale);  // these float frames hold whole counts too
    check::is_true(!r.summary.out_of_range, "within range");
  }
}

// The dark map of another exposure, and what each map adds to the variance alone.
void single_terms() {
  ProfileData p = plain(1, 1);
  p.dark = {100};
  p.exposure_ms = 10;
  p.gain_dn_per_e = 0.5;
  p.read_noise_dn = 2;
  Plane<std::uint16_t> raw(1, 1, 500);
  const auto variance_of = [&](const ProfileData& data, double exposure) {
    return static_cast<double>(run(raw.view(), Profile(data), {exposure, nan}).variance.pixels[0]);
  };
  check::near(variance_of(p, 10), (0.5 * 400 + 4) / 100, 1e-6);
  ProfileData rate = p;
  rate.dark_rate = {2};
  check::equal(run(raw.view(), Profile(rate), {20, nan}).data.pixels[0], 19.0F);  // (500 - 100 - 20) / 20
  check::near(variance_of(rate, 20), (0.5 * 380 + 4 + 0.5 * 2 * 10) / 400, 1e-6);
  check::near(run(raw.view(), Profile(rate), {20, nan}).summary.offset, 6.0, 1e-12);
  ProfileData dark = p;
  dark.dark_sigma = {3};
  check::near(variance_of(dark, 30), (200.0 + 4 + 9) / 900, 1e-6);  // one exposure: no line to lean on
  dark.dark_rate = {0};
  dark.dark_mean_exposure_ms = 20;
  dark.dark_exposure_sd_ms = 5;
  check::near(variance_of(dark, 30), (200.0 + 4 + 9 * 5) / 900, 1e-6);
  check::near(variance_of(dark, 20), (200.0 + 4 + 9) / 400, 1e-6);
  ProfileData flat = p;
  flat.flat = {0.8F};
  flat.flat_sigma = {0.1F};
  check::near(variance_of(flat, 10), 204 / (100 * 0.64) + 50 * 50 * 0.01, 1e-4);
  raw.pixels = {98};  // below dark: the mean over dark pixels must be the read noise
  check::near(variance_of(p, 10), (4 - 0.5 * 2) / 100, 1e-8);
  raw.pixels = {40};  // but not below rounding
  check::near(variance_of(p, 10), 1.0 / 1200, 1e-9);
  p.read_noise_dn = 0;
  check::equal(variance_of(p, 10), 0.0);
}

void table_beyond_its_ends() {
  ProfileData p = plain(1, 6);
  p.linearity = {nan, nan, nan};  // not looked at
  p.linearity_table = {0, 10, 30};
  p.linearity_step_dn = 10;
  Plane<float> raw(1, 6);
  raw.pixels = {-5, 0, 5, 10, 20, 25};
  const Result r = run(raw.view(), Profile(p));
  const std::vector<float> expected{-5, 0, 5, 10, 30, 40};
  check::is_true(r.data.pixels == expected, "the table's values");
  check::equal(r.summary.step, 1.0);
}

void excluded() {
  ProfileData p = plain(1, 4);
  p.bad = {0, 1, 0, 1};
  Plane<std::uint16_t> raw(1, 4);
  raw.pixels = {100, 7, 300, 9};
  Mask exclude(1, 4);
  exclude.pixels = {1, 0, 0, 2};
  CalibrationOptions options;
  options.exclude = exclude.view();
  const Result r = run(raw.view(), Profile(p), {}, options);
  const std::vector<std::uint8_t> bits{mask_excluded, mask_repaired, 0, mask_excluded | mask_repaired};
  check::is_true(r.mask.pixels == bits, "bit 8 where excluded");
  check::equal(r.data.pixels[0], 100.0F);
  check::equal(r.data.pixels[1], 300.0F);  // no pixel is repaired from an excluded one
}

void ambient() {
  ProfileData p = plain(1, 8);
  p.exposure_ms = 10;
  p.bad = {0, 0, 0, 0, 0, 0, 1, 0};
  const Profile profile(p);
  Plane<std::uint16_t> raw(1, 8, 200);
  raw.pixels[0] = 4095;
  Image data(1, 8);
  for (std::size_t i = 0; i < 8; ++i) data.pixels[i] = static_cast<float>(i);
  Mask mask(1, 8);
  mask.pixels = {0, mask_saturated, mask_underflow, mask_excluded, mask_out_of_range, mask_not_finite, mask_repaired,
                 0};
  data.pixels[5] = nan_f;
  CalibrationOptions options;
  options.ambient = {data.view(), mask.view(), {}, SignalUnit::dn_per_ms};
  Result r = run(raw.view(), profile, {}, options);
  const std::vector<std::uint8_t> bits{mask_saturated,  mask_saturated, 0, mask_excluded, mask_out_of_range,
                                       mask_not_finite, mask_repaired,  0};
  check::is_true(r.mask.pixels == bits, "saturated, excluded, out of range and not finite are taken over");
  check::equal(r.data.pixels[2], 18.0F);
  check::is_nan(static_cast<double>(r.data.pixels[5]));
  check::equal(r.data.pixels[6], 13.0F);  // the median of its neighbours after subtraction
  check::equal(r.summary.saturated, 2U);
  check::equal(r.summary.not_finite, 1U);

  const auto refused = [&](ErrorKind kind, const auto& spoil) {
    CalibrationOptions wrong = options;
    spoil(wrong);
    check::throws(kind, [&] { run(raw.view(), profile, {}, wrong); });
  };
  const Image wide(1, 9);
  const Mask wide_mask(1, 9);
  refused(ErrorKind::input, [](auto& o) { o.ambient.unit = SignalUnit::dn; });
  refused(ErrorKind::input, [&](auto& o) { o.ambient.data = wide.view(); });
  refused(ErrorKind::input, [&](auto& o) { o.ambient.mask = wide_mask.view(); });
  refused(ErrorKind::input, [&](auto& o) { o.exclude = wide_mask.view(); });
  ProfileData noisy = p;
  noisy.gain_dn_per_e = noisy.read_noise_dn = 1;
  check::throws(ErrorKind::input, [&] { run(raw.view(), Profile(noisy), {}, options); });  // a variance on one side
  check::throws(ErrorKind::input, [&] { calibrate(raw.view(), profile, {}, data.view(), r.mask.view(), {}, options); });
  Plane<float> in_place(1, 8, 5);
  check::throws(ErrorKind::input,
                [&] { calibrate(std::as_const(in_place).view(), profile, {}, in_place.view(), r.mask.view()); });
}

void units() {
  const auto asked = [](ProfileData p, SignalUnit unit, double exposure) {
    CalibrationOptions options;
    options.unit = unit;
    return run(Plane<std::uint16_t>(1, 1, 60).view(), Profile(std::move(p)), {exposure, nan}, options);
  };
  ProfileData p = plain(1, 1);
  check::throws(ErrorKind::profile, [&] { asked(p, SignalUnit::dn_per_ms, nan); });
  check::throws(ErrorKind::profile, [&] { asked(p, SignalUnit::electrons, nan); });
  check::throws(ErrorKind::profile, [&] { asked(p, SignalUnit::electrons_per_ms, 3); });
  check::throws(ErrorKind::profile, [&] { asked(p, SignalUnit::nanomolar, 3); });
  check::throws(ErrorKind::unit, [&] { asked(p, SignalUnit::dn, 3); });
  p.gain_dn_per_e = 0.5;
  p.response_nm_per_dn_ms = 2;
  check::throws(ErrorKind::unit, [&] { asked(p, SignalUnit::electrons, 3); });
  check::throws(ErrorKind::profile, [&] { asked(p, SignalUnit::nanomolar, nan); });
  check::equal(asked(p, SignalUnit::electrons, nan).data.pixels[0], 120.0F);
  check::equal(asked(p, SignalUnit::dn, nan).data.pixels[0], 60.0F);
  check::equal(asked(p, SignalUnit::electrons_per_ms, 3).data.pixels[0], 40.0F);
  check::equal(asked(p, SignalUnit::nanomolar, 3).data.pixels[0], 40.0F);
  check::is_true(std::string(unit_name(asked(p, SignalUnit::automatic, 3).summary.unit)) == "DN/ms", "the name");
  check::is_true(std::string(unit_name(SignalUnit::automatic)).empty(), "no unit, no name");
}

void without_exposure() {
  const Profile profile(plain(1, 2));
  Plane<std::uint16_t> raw(1, 2);
  raw.pixels = {0, 1234};
  const Result r = run(raw.view(), profile);
  check::equal(r.data.pixels[1], 1234.0F);
  check::is_nan(r.summary.exposure_ms);
  check::equal(r.mask.pixels[0], 0);  // without a dark map a count of 0 may be true
  check::equal(run(raw.view(), profile, {10, nan}).data.pixels[1], 123.4F);
}

void mask_bits() {
  ProfileData p = plain(1, 5);
  p.dark.assign(5, 2);
  p.saturation_dn = 4000;
  p.exposure_ms = 10;
  p.exposure_min_ms = 5;
  p.exposure_max_ms = 50;
  const Profile profile(p);
  Plane<std::uint16_t> counts(1, 5);
  counts.pixels = {0, 1, 3999, 4000, 4095};
  Result r = run(counts.view(), profile);
  const std::vector<int> bits{mask_underflow, 0, 0, mask_saturated, mask_saturated};
  for (std::size_t i = 0; i < 5; ++i) check::equal(r.mask.pixels[i], bits[i]);
  check::near(static_cast<double>(r.data.pixels[1]), -0.1, 1e-8);  // below dark is negative, not clipped
  check::equal(r.summary.saturated, 2U);
  check::equal(r.summary.underflow, 1U);

  // 0.1 % allows for a camera's exposure register.
  for (const double inside : {4.996, 5.0, 50.0, 50.04}) {
    check::is_true(!run(counts.view(), profile, {inside, nan}).summary.out_of_range, "within range");
  }
  for (const double outside : {4.99, 50.06}) {
    r = run(counts.view(), profile, {outside, nan});
    check::is_true(r.summary.out_of_range, "out of range");
    for (std::size_t i = 0; i < 5; ++i) check::equal(r.mask.pixels[i], bits[i] | mask_out_of_range);
  }

  Plane<float> odd(1, 5);
  odd.pixels = {nan_f, inf_f, -inf_f, 100, 4000};
  r = run(odd.view(), profile);
  for (std::size_t i = 0; i < 3; ++i) {
    check::equal(r.mask.pixels[i], mask_not_finite + 0);
    check::is_nan(static_cast<double>(r.data.pixels[i]));
  }
  check::equal(r.mask.pixels[4], mask_saturated + 0);
  check::equal(r.summary.not_finite, 3U);
  check::equal(r.summary.saturated, 1U);
  check::equal(r.summary.underflow, 0U);

  // An 8-bit word holds no more than 255, whatever the profile says.
  Plane<std::uint8_t> bytes(1, 5, 255);
  check::equal(run(bytes.view(), profile).summary.saturated, 5U);
}

// A finite count may still give no number: the mask must say so.
void overflow() {
  const Profile profile([] {
    ProfileData p = plain(1, 2);
    p.saturation_dn = infinity;
    p.linearity = {1, 1, 0};
    return p;
  }());
  Plane<float> raw(1, 2);
  raw.pixels = {3e30F, 2};
  const Result r = run(raw.view(), profile);
  check::equal(r.mask.pixels[0], mask_not_finite + 0);
  check::is_nan(static_cast<double>(r.data.pixels[0]));
  check::equal(r.data.pixels[1], 6.0F);
  check::equal(r.summary.not_finite, 1U);
}

void repair() {
  ProfileData p = plain(3, 3);
  p.bad = {0, 0, 0, 0, 1, 0, 0, 0, 0};
  Plane<std::uint16_t> raw(3, 3);
  raw.pixels = {80, 10, 70, 20, 4000, 60, 30, 50, 40};
  Result r = run(raw.view(), Profile(p));
  check::equal(r.data(1, 1), 45.0F);  // of 10 .. 80
  check::equal(r.mask(1, 1), mask_repaired + 0);
  check::equal(r.summary.repaired, 1U);
  check::equal(r.summary.bad, 0U);

  raw(0, 0) = 4095;  // saturated neighbours do not count: of 10 .. 70
  r = run(raw.view(), Profile(p));
  check::equal(r.data(1, 1), 40.0F);
  check::equal(r.summary.saturated, 1U);

  // A corner, and no bad pixel repairs another. Its own count leaves no trace.
  p.bad = {1, 1, 0, 0, 0, 0, 0, 0, 0};
  p.dark.assign(9, 1);
  raw.pixels = {4095, 0, 9, 101, 201, 301, 7, 7, 7};
  r = run(raw.view(), Profile(p));
  check::equal(r.data(0, 0), 150.0F);
  check::equal(r.data(0, 1), 150.0F);  // of 8, 100, 200, 300
  check::equal(r.mask(0, 0), mask_repaired + 0);
  check::equal(r.summary.saturated, 0U);
  check::equal(r.summary.underflow, 0U);
  check::equal(r.summary.repaired, 2U);

  p.bad.assign(9, 1);
  r = run(raw.view(), Profile(p));
  check::equal(r.summary.bad, 9U);
  for (std::size_t i = 0; i < 9; ++i) {
    check::equal(r.mask.pixels[i], mask_bad + 0);
    check::is_nan(static_cast<double>(r.data.pixels[i]));
  }
}

void repaired_variance() {
  ProfileData p = plain(1, 3);
  p.bad = {0, 1, 0};
  p.gain_dn_per_e = 2;
  p.read_noise_dn = 3;
  Plane<std::uint16_t> raw(1, 3);
  raw.pixels = {100, 0, 200};
  const Result r = run(raw.view(), Profile(p));
  check::equal(r.data(0, 1), 150.0F);
  check::equal(r.variance(0, 0), 209.0F);
  check::equal(r.variance(0, 1), 409.0F);  // the larger of the two that made it
}

void strides() {
  ProfileData p = plain(5, 7);
  p.bad.assign(35, 0);
  p.bad[17] = 1;
  scene::Normal noise(1);
  Plane<std::uint16_t> raw(5, 7);
  for (auto& v : raw.pixels) v = static_cast<std::uint16_t>(4095 * noise.uniform());
  const Profile profile(p);
  const Result up = run(raw.view(), profile);
  const scene::BottomUp<std::uint16_t> stored(raw);
  const Result down = run(stored.view(), profile);
  check::is_true(up.data == down.data && up.mask == down.mask, "the same bits from a negative row stride");
}

void small_frames() {
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{1, 1}, {1, 9}, {9, 1}}) {
    ProfileData p = plain(height, width);
    p.bad.assign(height * width, 0);
    p.bad[0] = 1;
    const Plane<std::uint8_t> raw(height, width, 77);
    const Result r = run(raw.view(), Profile(p));
    if (height * width == 1) {  // no neighbour to repair it from
      check::equal(r.mask.pixels[0], mask_bad + 0);
      check::is_nan(static_cast<double>(r.data.pixels[0]));
    } else {
      check::equal(r.mask.pixels[0], mask_repaired + 0);
      check::equal(r.data.pixels[0], 77.0F);
    }
  }
}

void refusals() {
  const Profile profile(plain(2, 2));
  const Plane<std::uint16_t> fits(2, 2, 100);
  const Plane<std::uint16_t> wide(2, 3, 100);
  const Plane<std::uint16_t> deep(2, 2, 4096);  // more than 12 bits
  check::throws(ErrorKind::input, [&] { run(wide.view(), profile); });
  check::throws(ErrorKind::input, [&] { run(deep.view(), profile); });
  for (const double exposure : {0.0, -1.0, infinity}) {
    check::throws(ErrorKind::unit, [&] { run(fits.view(), profile, {exposure, nan}); });
  }
  check::throws(ErrorKind::unit, [&] { run(fits.view(), profile, {nan, infinity}); });
  Image data(2, 2);
  Mask mask(2, 2);
  Image variance(2, 2);
  Mask small(1, 2);
  check::throws(ErrorKind::input, [&] { calibrate(fits.view(), profile, {}, data.view(), small.view()); });
  check::throws(ErrorKind::profile,
                [&] { calibrate(fits.view(), profile, {}, data.view(), mask.view(), variance.view()); });

  const auto refused = [](auto&& spoil) {
    check::throws(ErrorKind::profile, [&] {
      ProfileData p = plain(2, 2);
      spoil(p);
      const Profile made(p);
    });
  };
  refused([](ProfileData& p) { p.height = 0; });
  refused([](ProfileData& p) { p.dark.assign(3, 0); });
  refused([](ProfileData& p) { p.bad.assign(5, 0); });
  refused([](ProfileData& p) { p.dark = {0, 0, nan_f, 0}; });
  refused([](ProfileData& p) { p.flat = {1, 1, 0, 1}; });
  refused([](ProfileData& p) { p.flat = {1, 1, 1e-40F, 1}; });
  refused([](ProfileData& p) { p.flat = {1, 1, 3e38F, 1}; });
  refused([](ProfileData& p) { p.saturation_dn = 0; });
  refused([](ProfileData& p) { p.saturation_dn = nan; });
  refused([](ProfileData& p) { p.linearity[0] = 0; });
  refused([](ProfileData& p) { p.linearity[2] = nan; });
  refused([](ProfileData& p) { p.linearity[1] = -1e-3; });            // falls before saturation
  refused([](ProfileData& p) { p.linearity = {1, -2e-3, 1.1e-6}; });  // falls on the way and rises again
  refused([](ProfileData& p) { p.exposure_ms = 0; });
  refused([](ProfileData& p) { p.exposure_max_ms = infinity; });
  refused([](ProfileData& p) {
    p.exposure_min_ms = 5;
    p.exposure_max_ms = 4;
  });
  refused([](ProfileData& p) { p.gain_db = infinity; });
  refused([](ProfileData& p) { p.gain_dn_per_e = 0; });
  refused([](ProfileData& p) { p.read_noise_dn = -1; });
  refused([](ProfileData& p) { p.response_nm_per_dn_ms = 0; });
  refused([](ProfileData& p) { p.response_nm_per_dn_ms = infinity; });

  for (auto map : {&ProfileData::dark_sigma, &ProfileData::flat_sigma, &ProfileData::read_noise_map}) {
    refused([map](ProfileData& p) { p.*map = {1, 1, 1}; });
    refused([map](ProfileData& p) { p.*map = {1, 1, -1, 1}; });
    refused([map](ProfileData& p) { p.*map = {1, 1, 1, inf_f}; });
  }
  refused([](ProfileData& p) { p.gain_map = {1, 1, 0, 1}; });
  refused([](ProfileData& p) { p.gain_map = {1, nan_f, 1, 1}; });
  refused([](ProfileData& p) { p.dark_rate = {0, 0, 0, 0}; });  // without a dark map
  refused([](ProfileData& p) {
    p.dark = p.dark_rate = {0, 0, 0, 0};  // without its exposure
  });
  refused([](ProfileData& p) {
    p.exposure_ms = 5;
    p.dark_mean_exposure_ms = 10;
  });
  refused([](ProfileData& p) {
    p.exposure_ms = p.dark_mean_exposure_ms = 10;
    p.dark_exposure_sd_ms = 0;
  });
  refused([](ProfileData& p) { p.dark_mean_exposure_ms = p.dark_exposure_sd_ms = 10; });

  const auto table = [&](std::vector<double> values, double step) {
    refused([&](ProfileData& p) {
      p.linearity_table = values;
      p.linearity_step_dn = step;
    });
  };
  table({0}, 1);
  table({1, 2}, 1);
  table({0, 1, 1}, 1);
  table({0, 2, 1}, 1);
  table({0, nan, 2}, 1);
  table({0, infinity}, 1);
  table({0, 1e-60}, 1);  // no slope in float32
  for (const double step : {nan, 0.0, -1.0, infinity}) table({0, 1}, step);

  ProfileData dead = plain(2, 2);
  dead.flat = {1, 1, 0, 1};
  dead.bad = {0, 0, 1, 0};
  check::equal(run(fits.view(), Profile(dead)).data(1, 0), 100.0F);  // a dead pixel is fine where it is marked bad
}

// Every instruction set, any number of threads and row stride, bands of any size: the same bytes. Bad pixels stand at
// the ends of bands.
void every_way() {
  const std::size_t height = 200;
  const std::size_t width = 37;
  ProfileData p = plain(height, width);
  p.bad.assign(height * width, 0);
  Plane<std::uint16_t> raw(height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      raw(y, x) = static_cast<std::uint16_t>((x + y) % 5 == 0 ? 4095 : 1 + (977 * y + 131 * x) % 4000);
      p.bad[y * width + x] = (y % 64 >= 62 || y % 64 < 2) && (x + y) % 3 == 0 ? 1 : 0;
    }
  }
  const Profile profile(p);
  const scene::BottomUp<std::uint16_t> stored(raw);
  const std::string before{instruction_set_name(instruction_set())};
  const Result one = run(raw.view(), profile);
  check::is_true(one.summary.repaired > 20 && one.summary.saturated > 0, "there is something to repair");
  for (const InstructionSet set : instruction_sets()) {
    use_instruction_set(instruction_set_name(set));
    for (const unsigned threads : {1U, 2U, 3U, 8U}) {
      for (const std::size_t rows : {1U, 2U, 5U, 63U, 64U, 1000U}) {
        for (const bool bottom_up : {false, true}) {
          CalibrationOptions options;
          options.threads = threads;
          options.band_rows = rows;
          const Result many = run(bottom_up ? stored.view() : std::as_const(raw).view(), profile, {}, options);
          check::is_true(many.data == one.data && many.mask == one.mask, "the same frame");
          check::equal(many.summary.repaired, one.summary.repaired);
          check::equal(many.summary.saturated, one.summary.saturated);
        }
      }
    }
  }
  use_instruction_set(before);
  CalibrationOptions none;
  none.band_rows = 0;
  check::throws(ErrorKind::input, [&] { run(raw.view(), profile, {}, none); });
}

}  // namespace

int main() {
  for (const Curve& curve : {Curve{}, Curve{{0, 48, 100, 150, 205}, 50}}) {
    formula<std::uint8_t>(curve);
    formula<std::uint16_t>(curve);
    formula<float>(curve);
  }
  single_terms();
  table_beyond_its_ends();
  excluded();
  ambient();
  units();
  without_exposure();
  mask_bits();
  overflow();
  repair();
  repaired_variance();
  strides();
  small_frames();
  refusals();
  every_way();
  return check::result();
}
