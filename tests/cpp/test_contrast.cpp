#include "pyicg/contrast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "check.hpp"
#include "pyicg/calibrate.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

using pyicg::nan;  // not the C library's

Background background(const Image& image, BackgroundPolicy policy, const Mask& mask,
                      ImageView<const std::uint8_t> use = {}, ImageView<const std::uint8_t> exclude = {}) {
  std::vector<float> scratch;
  return estimate_background(image.view(), mask.view(), policy, use, exclude, scratch);
}

// Mode of noise rounded to whole counts.
Background counts_background(double level, double sigma) {
  scene::Normal noise(3);
  Image image(150, 150);
  for (float& v : image.pixels) v = static_cast<float>(std::round(level + sigma * noise()));
  const Mask mask(150, 150);
  std::vector<float> scratch;
  return estimate_background(image.view(), mask.view(), BackgroundPolicy::mode, {}, {}, scratch, 1.0);
}

Background background(const Image& image, BackgroundPolicy policy) {
  return background(image, policy, Mask(image.height, image.width));
}

Image normal_noise(std::size_t height, std::size_t width, double level, double sigma, std::uint32_t seed) {
  scene::Normal noise(seed);
  Image image(height, width);
  for (float& v : image.pixels) v = static_cast<float>(level + sigma * noise());
  return image;
}

void fieller() {
  // Roots of (a - r b)^2 = z^2 (sa^2 + r^2 sb^2) in 30 decimal digits.
  struct Case {
    double a, sa, b, sb, ratio, sigma, lo, hi;
  };
  for (const Case& c : {Case{3, 0.1, 1, 0.05, 3, 0.180277563773199, 2.67285405155507708, 3.38532657697700503},
                        Case{12, 0.5, 4, 1, 3, 0.760345316287277, 1.99312531158696952, 5.90255876631822141},
                        Case{1, 0.5, 2, 0.1, 0.5, 0.251246890528022, 0.01000802231100260, 0.99968874911101108}}) {
    const Measurement m = fieller_ratio(c.a, c.sa, c.b, c.sb);
    check::near(m.value, c.ratio, 1e-15);
    check::near(m.sigma, c.sigma, 1e-14);
    check::near(m.lo, c.lo, 1e-13);
    check::near(m.hi, c.hi, 1e-13);
    check::same(m.reason, Reason::none);
  }
  // No bounds where the denominator is not told from zero.
  for (const double b : {1.95, 0.0, -5.0}) {
    const Measurement m = fieller_ratio(3, 0.1, b, 1);
    check::is_nan(m.value);
    check::equal(m.lo, -infinity);
    check::equal(m.hi, infinity);
    check::same(m.reason, Reason::background_not_resolved);
  }
  check::near(fieller_ratio(3, 0, 2, 0).hi, 1.5, 1e-15);
}

void figures() {
  const RegionStats signal{400, 30, 2, 0};
  const Background b{10, 1.5, 0.1, 1001, Reason::none};
  const Contrast c = contrast(signal, b, 5, Reason::none);
  check::near(c.sbr.value, 3, 1e-12);
  check::near(c.sbr_raw.value, 35.0 / 15, 1e-12);
  check::near(c.weber.value, 2, 1e-12);
  check::near(c.michelson.value, 0.5, 1e-12);
  check::near(c.cnr.value, 20 / 1.5, 1e-12);
  check::near(c.cvr.value, 20 / 2.5, 1e-12);
  check::near(c.signal_level.value, 30, 0);
  check::near(c.signal_level.sigma, 0.1, 1e-12);
  check::near(c.background_level.hi, 10 + 0.1959963984540054, 1e-12);
  // Bounds and errors follow by calculus from those of the ratio.
  check::near(c.weber.lo, c.sbr.lo - 1, 1e-12);
  check::near(c.weber.sigma, c.sbr.sigma, 1e-15);
  check::near(c.michelson.hi, (c.sbr.hi - 1) / (c.sbr.hi + 1), 1e-12);
  check::near(c.michelson.sigma, c.sbr.sigma * 2 / 16, 1e-12);
  const double cnr = 20 / 1.5;
  check::near(c.cnr.sigma, std::sqrt(0.02 / 2.25 + cnr * cnr / 2000), 1e-12);
  // var(s^2)/s^4 = 2/(n - 1) of either variance, weighted by its share.
  const double relative = (16.0 / 798 + 2.25 * 2.25 / 2000) / (6.25 * 6.25);
  check::near(c.cvr.sigma, std::sqrt(0.02 / 6.25 + 64 * relative), 1e-12);
}

void reasons() {
  const RegionStats signal{400, 30, 2, 0};
  const Background b{10, 1.5, 0.1, 1001, Reason::none};
  const Contrast bare = contrast(signal, b, 0, Reason::uncalibrated);
  check::same(bare.sbr.reason, Reason::uncalibrated);
  check::same(bare.cvr.reason, Reason::uncalibrated);
  check::near(bare.sbr.value, 3, 1e-12);

  const Contrast bound = contrast({400, 30, 2, 1}, b, 0, Reason::uncalibrated);
  check::same(bound.sbr.reason, Reason::saturated_lower_bound);
  check::equal(bound.sbr.hi, infinity);
  check::equal(bound.michelson.hi, 1.0);
  check::same(bound.background_level.reason, Reason::uncalibrated);

  const Contrast none = contrast({1, 30, nan, 0}, b, 0, Reason::none);
  check::is_nan(none.sbr.value);
  check::same(none.sbr.reason, Reason::too_few_pixels);
  check::near(none.background_level.value, 10, 0);

  const Contrast dark = contrast(signal, {0.1, 1, 0.2, 25, Reason::background_not_resolved}, 0, Reason::none);
  for (const Measurement& m : {dark.sbr, dark.weber, dark.michelson}) {
    check::is_nan(m.value);
    check::same(m.reason, Reason::background_not_resolved);
  }
  check::near(dark.cnr.value, 29.9, 1e-12);  // a difference needs no ratio

  const Contrast flat = contrast({400, 30, 0, 0}, {10, 0, 0, 1000, Reason::none}, 0, Reason::none);
  check::near(flat.sbr.value, 3, 1e-12);
  check::same(flat.cnr.reason, Reason::background_not_resolved);
}

void regions() {
  Image image(2, 4);
  image.pixels = {1, 2, 3, 4, 5, 6, 7, 800};
  Mask mask(2, 4);
  Mask region(2, 4, 1);
  region(0, 0) = 0;
  mask(0, 1) = mask_repaired;
  mask(1, 0) = mask_saturated;
  mask(1, 3) = mask_bad;
  const RegionStats s = region_stats(image.view(), mask.view(), region.view());
  check::equal(s.n, 6U);
  check::near(s.mean, 4.5, 1e-12);
  check::near(s.sd, std::sqrt(17.5 / 5), 1e-12);
  check::equal(s.saturated, 1U);
  const Mask nothing(2, 4);
  check::equal(region_stats(image.view(), mask.view(), nothing.view()).n, 0U);
  check::is_nan(region_stats(image.view(), mask.view(), nothing.view()).mean);
  const Mask other(4, 2);
  check::throws(ErrorKind::input, [&] { region_stats(image.view(), mask.view(), other.view()); });
}

void plateau() {
  Image image = normal_noise(200, 200, 100, 0.5, 2);
  Mask signal(200, 200);
  for (std::size_t y = 60; y < 120; ++y) {
    for (std::size_t x = 70; x < 130; ++x) {
      image(y, x) += 150;
      signal(y, x) = 1;
    }
  }
  const Mask mask(200, 200);
  const Background b = background(image, BackgroundPolicy::mode);
  const Contrast c = contrast(region_stats(image.view(), mask.view(), signal.view()), b, 0, Reason::none);
  check::near(c.sbr.value, 2.5, 1e-3);
  check::is_true(c.sbr.lo < 2.5 && 2.5 < c.sbr.hi, "the interval holds 2.5");
}

// 40 % bright lesion, 10 % dark drape: the mode stays at the background.
void mode_is_robust() {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    Image image = normal_noise(200, 200, 100, 5, seed);
    for (std::size_t y = 0; y < 200; ++y) {
      for (std::size_t x = 0; x < 80; ++x) image(y, x) += 200;
      for (std::size_t x = 180; x < 200; ++x) image(y, x) -= 80;
    }
    const Background b = background(image, BackgroundPolicy::mode);
    check::near(b.level, 100, 0.5);
    check::near(b.sigma, 5, 0.25);
    check::near(static_cast<double>(b.n_pixels), 20000, 1500);
    check::same(b.reason, Reason::none);
  }
}

// The standard error told is the spread seen.
void mode_error() {
  constexpr int trials = 60;
  double squares = 0;
  double told = 0;
  for (std::uint32_t seed = 1; seed <= trials; ++seed) {
    const Background b = background(normal_noise(60, 60, 100, 5, seed), BackgroundPolicy::mode);
    squares += (b.level - 100) * (b.level - 100) / trials;
    told += b.sem / trials;
  }
  check::near(std::sqrt(squares) / told, 1, 0.25);
}

void mode_of_whole_counts() {
  // Rounding adds 1/12 DN^2. The narrow ones put a quarter of the pixels on one count; the wide one has a densest
  // interval of its own, but counts in and out of any window come whole.
  for (const auto& [level, sigma] : {std::pair{40.3, 0.8}, {6.0, 0.5}, {200.0, 4.0}, {60.7, 1.5}}) {
    const Background b = counts_background(level, sigma);
    check::near(b.level, level, 0.05 * sigma);
    check::near(b.sigma, std::hypot(sigma, std::sqrt(1.0 / 12)), 0.1 * sigma);
    check::near(static_cast<double>(b.n_pixels), 22500, 500);
  }
  // Too little noise to tell where within a count the level lies.
  check::near(counts_background(40.3, 0.01).level, 40, 0);
  check::near(counts_background(40.3, 0.01).sem, std::sqrt(1.0 / 12), 1e-9);
}

void mode_without_noise() {
  Image image(20, 20, 500);
  std::fill_n(image.pixels.begin(), 40, 400.0F);
  std::fill_n(image.pixels.begin() + 40, 100, 1500.0F);
  const Background b = background(image, BackgroundPolicy::mode);
  check::near(b.level, 500, 1e-3);
  check::near(b.sigma, 0, 1e-3);
  check::equal(b.n_pixels, 260U);

  const Background constant = background(Image(20, 20, 7), BackgroundPolicy::mode);
  check::equal(constant.level, 7.0);
  check::equal(constant.sigma, 0.0);
  check::equal(constant.n_pixels, 400U);
  check::same(constant.reason, Reason::none);
}

void policies() {
  const Image image = normal_noise(200, 200, 100, 5, 4);
  const Background median = background(image, BackgroundPolicy::median);
  check::near(median.level, 100, 0.15);
  check::near(median.sigma, 5, 0.15);
  check::near(median.sem, 1.2533 * 5 / 200, 0.002);
  const Background lower = background(image, BackgroundPolicy::percentile);
  check::near(lower.level, 100 - 5 * 0.6744898, 0.2);
  check::near(lower.sigma, 5, 0.2);

  // A median of known numbers: 1 .. 99 and outliers beyond 3 sigma.
  Image ranks(1, 101);
  for (std::size_t i = 0; i < 99; ++i) ranks.pixels[i] = static_cast<float>(i + 1);
  ranks.pixels[99] = 1e6F;
  ranks.pixels[100] = 1e6F;
  check::equal(background(ranks, BackgroundPolicy::median).level, 50.0);
  check::equal(background(ranks, BackgroundPolicy::median).n_pixels, 99U);
  check::equal(background(ranks, BackgroundPolicy::percentile).level, 26.0);

  Mask use(1, 101);
  std::fill_n(use.pixels.begin(), 20, std::uint8_t{1});
  Mask exclude(1, 101);
  exclude.pixels[19] = 1;
  const Mask mask(1, 101);
  const Background told = background(ranks, BackgroundPolicy::mask, mask, use.view(), exclude.view());
  check::near(told.level, 10, 1e-12);  // mean of 1 .. 19
  check::near(told.sigma, std::sqrt(570.0 / 18), 1e-12);
  check::near(told.sem, told.sigma / std::sqrt(19.0), 1e-12);
  check::throws(ErrorKind::input, [&] { background(ranks, BackgroundPolicy::mask, mask); });
  const Mask other(2, 101);
  check::throws(ErrorKind::input, [&] { background(ranks, BackgroundPolicy::mode, mask, {}, other.view()); });
}

void undefined() {
  const Image small(3, 5, 9);
  check::same(background(small, BackgroundPolicy::mode).reason, Reason::too_few_pixels);
  check::is_nan(background(small, BackgroundPolicy::mode).level);
  check::equal(background(small, BackgroundPolicy::mode).n_pixels, 15U);

  const Image image = normal_noise(40, 40, 100, 5, 5);
  check::same(background(image, BackgroundPolicy::mode, Mask(40, 40, mask_out_of_range)).reason, Reason::out_of_range);
  check::same(background(image, BackgroundPolicy::mode, Mask(40, 40, mask_saturated)).reason, Reason::too_few_pixels);
  check::same(background(image, BackgroundPolicy::mode, Mask(40, 40, mask_repaired)).reason, Reason::none);

  const Background zero = background(normal_noise(40, 40, 0, 5, 6), BackgroundPolicy::mode);
  check::same(zero.reason, Reason::background_not_resolved);
  check::near(zero.level, 0, 1);
  check::same(background(Image(40, 40, 0), BackgroundPolicy::mode).reason, Reason::background_not_resolved);

  // What the mask leaves out is not looked at.
  Image odd = normal_noise(40, 40, 100, 5, 7);
  Mask mask(40, 40);
  for (std::size_t i = 0; i < 300; ++i) {
    odd.pixels[i] = std::numeric_limits<float>::quiet_NaN();
    mask.pixels[i] = mask_not_finite;
  }
  for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile}) {
    check::near(background(odd, policy, mask).level, policy == BackgroundPolicy::percentile ? 96.6 : 100, 1);
  }
}

}  // namespace

int main() {
  fieller();
  figures();
  reasons();
  regions();
  plateau();
  mode_is_robust();
  mode_error();
  mode_of_whole_counts();
  mode_without_noise();
  policies();
  undefined();
  return check::result();
}
