#include "pyicg/calibrate.hpp"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "check.hpp"
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

Result run(const RawFrame& frame, const Profile& profile, const Exposure& exposure = {}) {
  const std::size_t h = profile.data().height;
  const std::size_t w = profile.data().width;
  Result r{Image(h, w), Mask(h, w), Image(h, w), {}};
  const auto variance = profile.has_variance() ? r.variance.view() : ImageView<float>{};
  r.summary = calibrate(frame, profile, exposure, r.data.view(), r.mask.view(), variance);
  return r;
}

// Every term of the formula at once, against the same formula in double.
template <class Pixel>
void formula() {
  ProfileData p = plain(2, 3);
  p.dark = {10, 11, 12, 13, 14, 15};
  p.flat = {0.5F, 0.8F, 1.0F, 1.1F, 1.25F, 1.35F};
  p.linearity = {1.02, 1e-4, -1e-7};
  p.saturation_dn = 250;
  p.exposure_ms = 20;
  p.gain_db = 6;
  p.gain_dn_per_e = 0.4;
  p.read_noise_dn = 3;
  p.calibrated = true;
  const Profile profile(p);
  Plane<Pixel> raw(2, 3);
  for (std::size_t i = 0; i < 6; ++i) raw.pixels[i] = static_cast<Pixel>(30 + 35 * i);
  const Result r = run(raw.view(), profile, {40, 12});
  const double scale = std::pow(10.0, (6 - 12) / 20.0) / 40;
  for (std::size_t i = 0; i < 6; ++i) {
    const double x = 30 + 35 * static_cast<double>(i) - static_cast<double>(p.dark[i]);
    const double factor = scale / static_cast<double>(p.flat[i]);
    const double signal = x * (1.02 + x * (1e-4 - x * 1e-7)) * factor;
    const double slope = (1.02 + x * (2e-4 - x * 3e-7)) * factor;
    check::near(static_cast<double>(r.data.pixels[i]), signal, 1e-6 * signal);
    const double variance = (0.4 * x + 9) * slope * slope;
    check::near(static_cast<double>(r.variance.pixels[i]), variance, 2e-6 * variance);
    check::equal(r.mask.pixels[i], 0);
  }
  check::equal(r.summary.exposure_ms, 40.0);
  check::near(r.summary.offset, 12.5 * scale, 1e-12);
  check::near(r.summary.step, 1.02 * scale, 1e-6 * scale);  // one count; these float frames hold whole counts too
  check::is_true(!r.summary.out_of_range, "within range");
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
  refused([](ProfileData& p) { p.saturation_dn = 0; });
  refused([](ProfileData& p) { p.saturation_dn = nan; });
  refused([](ProfileData& p) { p.linearity[0] = 0; });
  refused([](ProfileData& p) { p.linearity[2] = nan; });
  refused([](ProfileData& p) { p.exposure_ms = 0; });
  refused([](ProfileData& p) { p.exposure_max_ms = infinity; });
  refused([](ProfileData& p) { p.gain_db = infinity; });

  ProfileData dead = plain(2, 2);
  dead.flat = {1, 1, 0, 1};
  dead.bad = {0, 0, 1, 0};
  check::equal(run(fits.view(), Profile(dead)).data(1, 0), 100.0F);  // a dead pixel is fine where it is marked bad
}

}  // namespace

int main() {
  formula<std::uint8_t>();
  formula<std::uint16_t>();
  formula<float>();
  without_exposure();
  mask_bits();
  overflow();
  repair();
  repaired_variance();
  strides();
  small_frames();
  refusals();
  return check::result();
}
