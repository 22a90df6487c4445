#include "pyicg/background.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <tuple>
#include <utility>
#include <vector>

#include "check.hpp"
#include "core/detail/mode.hpp"
#include "core/detail/tiles.hpp"
#include "pyicg/calibrate.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

Background background(const CalibratedView& frame, const BackgroundOptions& options) {
  BackgroundWorkspace ws;
  return estimate_background(frame, options, ws);
}

Background background(const Image& image, BackgroundPolicy policy, const Mask& mask) {
  BackgroundOptions o;
  o.policy = policy;
  return background(scene::frame(image, mask), o);
}

Background background(const Image& image, BackgroundPolicy policy = BackgroundPolicy::mode) {
  return background(image, policy, Mask(image.height, image.width));
}

// Mode of noise rounded to whole counts.
Background counts_background(double level, double sigma) {
  Image image = scene::noise(150, 150, level, sigma, 3);
  for (float& v : image.pixels) v = std::round(v);
  return background(scene::frame(image, Mask(150, 150), 1.0), {});
}

Mask square(std::size_t height, std::size_t width, std::size_t y0, std::size_t x0, std::size_t edge) {
  Mask mask(height, width);
  for (std::size_t y = y0; y < y0 + edge; ++y) {
    for (std::size_t x = x0; x < x0 + edge; ++x) mask(y, x) = 1;
  }
  return mask;
}

// 40 % bright lesion, 10 % dark drape: the mode stays at the background.
void mode_is_robust() {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    Image image = scene::noise(200, 200, 100, 5, seed);
    for (std::size_t y = 0; y < 200; ++y) {
      for (std::size_t x = 0; x < 80; ++x) image(y, x) += 200;
      for (std::size_t x = 180; x < 200; ++x) image(y, x) -= 80;
    }
    const Background b = background(image);
    check::near(b.level, 100, 0.5);
    check::near(b.sigma, 5, 0.25);
    check::near(static_cast<double>(b.n_pixels), 20000, 2400);  // 12 %: tiles on an edge belong to neither side
    check::same(b.reason, Reason::none);
    check::is_true(!b.empty_field, "no empty field");
  }
}

// The standard error told is the spread seen, whether single pixels, tiles or a moving window are looked at.
void mode_error() {
  for (const double sigma : {0.5, 5.0, 15.0}) {
    constexpr std::uint32_t trials = 60;
    double squares = 0;
    double told = 0;
    for (std::uint32_t seed = 1; seed <= trials; ++seed) {
      const Mask nothing(60, 60);
      BackgroundOptions o;
      o.exclude = nothing.view();  // no lesion: no allowance for a hidden one
      const Image image = scene::noise(60, 60, 100, sigma, seed);
      const Background b = background(scene::frame(image, Mask(60, 60)), o);
      squares += (b.level - 100) * (b.level - 100) / trials;
      told += b.sem / trials;
    }
    check::near(std::sqrt(squares) / told, 1, 0.25);
  }
}

// Counted light is skewed: single pixels are at their most frequent below the mean, tiles are not.
void mode_of_skewed_light() {
  for (const auto& [edge, sigma] : {std::pair<std::size_t, double>{400, 5}, {400, 20}, {120, 20}}) {
    scene::Normal normal(7);
    Image image(edge, edge);
    for (float& v : image.pixels) {  // chi-squared with 8 degrees of freedom: skewness 1, mode at -0.5 sigma
      double sum = 0;
      for (int k = 0; k < 8; ++k) {
        const double z = normal();
        sum += z * z;
      }
      v = static_cast<float>(100 + sigma * (sum - 8) / 4);
    }
    const Background b = background(image);
    check::near(b.level, 100, 0.1 * sigma);
    check::near(b.sigma, sigma, 0.1 * sigma);
    check::is_true(std::fabs(b.level - 100) < 4 * b.sem, "within its error");
  }
}

void tile_plan() {
  const Image image(300, 300);
  const Mask mask(300, 300);
  const CalibratedView frame = scene::frame(image, mask);
  const auto plan = [&](double noise, std::size_t n) { return detail::plan_tiles(frame, {100, noise, {}}, n); };
  check::equal(plan(0, 90000).edge, 1U);
  check::equal(plan(0.9, 90000).edge, 1U);
  check::equal(plan(5, 90000).edge, 5U);  // noise of 1 % in a tile
  check::equal(plan(5, 90000).window, 1U);
  check::equal(plan(20, 90000).edge, 4U);  // a fifth of the window
  check::equal(plan(20, 90000).window, 5U);
  check::is_true(plan(20, 90000).fine, "a window in which the noise is 1 %");
  check::is_true(!plan(200, 90000).fine, "more noise than a fifth of the frame averages out");

  const Image ones(20, 20, 1);
  std::vector<float> means;
  detail::Tiles tiles;
  Mask bits(20, 20);
  detail::make_tiles(scene::frame(ones, bits), 4, {}, false, tiles);
  check::equal(tiles.size(), 25U);
  for (std::size_t i = 0; i < 25; ++i) {  // a ramp: its moving mean is itself, but for the border
    check::equal(tiles.n[i], 16.0F);
    tiles.mean[i] = static_cast<float>(tiles.row[i]) + 10 * static_cast<float>(tiles.column[i]);
  }
  detail::moving_means(tiles, 3, means);
  check::near(static_cast<double>(means[2 * 5 + 2]), 22, 1e-5);
  check::near(static_cast<double>(means[0]), 5.5, 1e-5);    // 2 x 2 tiles in the corner
  check::near(static_cast<double>(means[24]), 38.5, 1e-5);  // and in the other
  // Tiles less than half of whose pixels are there are no tiles.
  std::fill_n(bits.pixels.begin(), 60, mask_bad);
  detail::make_tiles(scene::frame(ones, bits), 4, {}, false, tiles);
  check::equal(tiles.size(), 20U);
}

void mode_of_whole_counts() {
  // Rounding adds 1/12 DN^2. The narrow ones put a quarter of the pixels on one count; the wide one has a densest
  // interval of its own, but counts in and out of any window come whole.
  for (const auto& [level, sigma] : {std::pair{40.3, 0.8}, {6.0, 0.5}, {200.0, 4.0}, {60.7, 1.5}}) {
    const Background b = counts_background(level, sigma);
    check::near(b.level, level, 0.05 * sigma);
    check::near(b.sigma, std::hypot(sigma, std::sqrt(1.0 / 12)), 0.1 * sigma);
    check::near(static_cast<double>(b.n_pixels), 22500, 2700);
  }
  // Too little noise to tell where within a count the level lies.
  check::near(counts_background(40.3, 0.01).level, 40, 0);
  check::near(counts_background(40.3, 0.01).sem, std::sqrt(1.0 / 12), 1e-9);
  check::near(counts_background(40.3, 0.01).budget.pixel_noise, std::sqrt(1.0 / 12), 1e-9);
}

void mode_without_noise() {
  Image image(20, 20, 500);
  std::fill_n(image.pixels.begin(), 40, 400.0F);
  std::fill_n(image.pixels.begin() + 40, 100, 1500.0F);
  const Background b = background(image);
  check::near(b.level, 500, 1e-3);
  check::near(b.sigma, 0, 1e-3);
  check::equal(b.n_pixels, 260U);

  const Background constant = background(Image(20, 20, 7));
  check::equal(constant.level, 7.0);
  check::equal(constant.sigma, 0.0);
  check::equal(constant.n_pixels, 400U);
  check::same(constant.reason, Reason::none);
}

void find_modes() {
  const Image two = [] {
    Image image = scene::noise(100, 100, 50, 2, 4);
    std::fill_n(image.pixels.begin(), 3000, 90.0F);
    for (std::size_t i = 0; i < 3000; ++i) image.pixels[i] += static_cast<float>(i % 100) / 10;
    return image;
  }();
  std::vector<std::int32_t> scratch;
  const auto find_mode = [&](const std::vector<float>& values) {
    return detail::find_mode(values, detail::densest_interval(values, scratch), 0, scratch);
  };
  const detail::Mode mode = find_mode(two.pixels);
  check::near(mode.level, 50, 0.15);
  check::near(mode.sigma, 2, 0.1);
  check::near(mode.held, 7000, 300);
  check::near(mode.efficiency, 8 / std::pow(3.0, 1.5), 0.01);  // weights as wide as the peak
  std::vector<double> weights;
  const std::vector<float> some{static_cast<float>(mode.level), static_cast<float>(mode.level + mode.weights_sigma)};
  detail::weigh(mode, some, weights);
  check::near(weights[0], 1, 1e-9);
  check::near(weights[1], std::exp(-0.5), 1e-5);

  std::vector<float> values;
  values.reserve(500);
  for (int i = 0; i < 300; ++i) values.push_back(static_cast<float>(i));
  for (int i = 0; i < 200; ++i) values.push_back(120 + 0.01F * static_cast<float>(i));
  const detail::Densest densest = detail::densest_interval(values, scratch);  // 125 of 500 values
  check::is_true(densest.centre > 120 && densest.centre < 122, "among the crowd");
  check::near(densest.width, 1.24, 0.05);
  const std::vector<float> equal(30, 4);
  check::equal(detail::densest_interval(equal, scratch).centre, 4.0);
  check::equal(detail::densest_interval(equal, scratch).width, 0.0);
  check::equal(find_mode(equal).level, 4.0);
  check::equal(find_mode(equal).held, 30.0);
}

void policies() {
  const Image image = scene::noise(200, 200, 100, 5, 4);
  const Background median = background(image, BackgroundPolicy::median);
  check::near(median.level, 100, 0.15);
  check::near(median.sigma, 5, 0.15);
  check::near(median.sem, 1.2533 * 5 / 200, 0.003);
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
  BackgroundOptions o;
  o.policy = BackgroundPolicy::mask;
  o.use = use.view();
  o.exclude = exclude.view();
  const Background told = background(scene::frame(ranks, mask), o);
  check::near(told.level, 10, 1e-12);  // mean of 1 .. 19
  check::near(told.sigma, std::sqrt(570.0 / 18), 1e-12);
  check::near(std::hypot(told.budget.sampling, told.budget.heterogeneity), told.sem, 1e-12);
  check::near(told.budget.sampling, told.sigma / std::sqrt(19.0), 1e-12);  // the ramp adds unevenness
  check::is_true(told.budget.heterogeneity > told.budget.sampling && told.effective_pixels < 10, "a ramp is uneven");
  check::throws(ErrorKind::input, [&] { background(ranks, BackgroundPolicy::mask); });
  const Mask other(2, 101);
  for (auto wrong : {&BackgroundOptions::use, &BackgroundOptions::exclude, &BackgroundOptions::signal}) {
    BackgroundOptions bad;
    bad.*wrong = other.view();
    check::throws(ErrorKind::input, [&] { background(scene::frame(ranks, mask), bad); });
  }
}

void around_a_lesion() {
  check::near(default_guard_px(std::numbers::pi * 400), 5, 1e-12);
  check::near(default_width_px(std::numbers::pi * 400), 10, 1e-12);
  check::near(default_guard_px(9), 3, 0);
  check::near(default_width_px(9), 5, 0);

  // Every pixel holds its distance from the lesion: the mean of the ring against all pixels one by one.
  const Mask lesion = square(60, 70, 20, 30, 8);
  Image distance(60, 70);
  for (std::size_t y = 0; y < 60; ++y) {
    for (std::size_t x = 0; x < 70; ++x) {
      const double dy = std::max({20.0 - static_cast<double>(y), static_cast<double>(y) - 27.0, 0.0});
      const double dx = std::max({30.0 - static_cast<double>(x), static_cast<double>(x) - 37.0, 0.0});
      distance(y, x) = static_cast<float>(std::hypot(dy, dx));
    }
  }
  const Mask mask(60, 70);
  BackgroundOptions o;
  o.policy = BackgroundPolicy::annulus;
  o.signal = lesion.view();
  for (const auto& [guard, width] : {std::pair{3.0, 4.0}, {0.0, 2.5}, {2.2, 30.0}}) {
    double sum = 0;
    std::size_t n = 0;
    for (const float d : distance.pixels) {
      if (d <= static_cast<float>(guard) || d > static_cast<float>(guard + width)) continue;
      sum += static_cast<double>(d);
      ++n;
    }
    o.guard_px = guard;
    o.width_px = width;
    const Background b = background(scene::frame(distance, mask), o);
    check::equal(b.n_pixels, n);
    check::near(b.level, sum / static_cast<double>(n), 1e-9);
  }
  o.guard_px = 100;  // no ring left
  check::same(background(scene::frame(distance, mask), o).reason, Reason::too_few_pixels);
  check::equal(background(scene::frame(distance, mask), o).n_pixels, 0U);

  // Far away 100, near the lesion 140: each policy finds its own.
  Image stray = scene::noise(60, 70, 100, 0.5, 5);
  for (std::size_t i = 0; i < stray.pixels.size(); ++i) stray.pixels[i] += distance.pixels[i] < 9 ? 40.0F : 0.0F;
  o.guard_px = 2;
  o.width_px = 6;
  check::near(background(scene::frame(stray, mask), o).level, 140, 0.2);
  o.policy = BackgroundPolicy::distant;
  check::near(background(scene::frame(stray, mask), o).level, 100, 0.2);

  for (const auto& [guard, width] : {std::pair{-1.0, 4.0}, {2.0, 0.0}, {2.0, -3.0}}) {
    BackgroundOptions bad = o;
    bad.guard_px = guard;
    bad.width_px = width;
    check::throws(ErrorKind::unit, [&] { background(scene::frame(stray, mask), bad); });
  }
  for (const auto policy : {BackgroundPolicy::annulus, BackgroundPolicy::distant}) {
    check::throws(ErrorKind::input, [&] { background(stray, policy); });
    BackgroundOptions bad;
    bad.policy = policy;
    bad.signal = mask.view();  // nothing in it
    check::throws(ErrorKind::input, [&] { background(scene::frame(stray, mask), bad); });
  }
}

// A dark table around a specimen is no background; a liver under a bright lesion is.
void empty_field() {
  for (const auto& [tissue, rows, left_out] : {std::tuple<double, std::size_t, bool>{60, 30, true},
                                               {38, 30, false},    // 19-fold: a lesion may be as bright
                                               {60, 8, false}}) {  // less than a tenth of the frame
    Image image = scene::noise(100, 100, 2, 0.02, 6);
    for (std::size_t i = 0; i < rows * 100; ++i) image.pixels[i] *= static_cast<float>(tissue / 2);
    const Background b = background(image);
    check::equal(b.empty_field, left_out);
    check::near(b.level, left_out ? tissue : 2, 0.01 * (left_out ? tissue : 2));
  }
}

// Where the upper end of the background is cut off, nobody knows how far it reached.
void clipped() {
  Image image = scene::noise(100, 100, 250, 5, 8);
  Mask mask(100, 100);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    if (image.pixels[i] < 254) continue;
    image.pixels[i] = 255;
    mask.pixels[i] = mask_saturated;
  }
  for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile}) {
    check::same(background(image, policy, mask).reason, Reason::background_saturated);
  }
  // A lesion that is clipped says nothing of the liver.
  Image lesion = scene::noise(100, 100, 100, 5, 8);
  Mask bits(100, 100);
  for (std::size_t i = 0; i < 2000; ++i) {
    lesion.pixels[i] = 255;
    bits.pixels[i] = mask_saturated;
  }
  for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile}) {
    check::same(background(lesion, policy, bits).reason, Reason::none);
    check::near(background(lesion, policy, bits).level, policy == BackgroundPolicy::percentile ? 96.6 : 100, 0.3);
  }

  // The same at the lower end: counts below the offset became 0, marked or not.
  for (const bool marked : {true, false}) {
    Image dark = scene::noise(100, 100, 4, 4, 9);
    Mask under(100, 100);
    for (std::size_t i = 0; i < dark.pixels.size(); ++i) {
      if (dark.pixels[i] > 0) continue;
      dark.pixels[i] = 0;
      if (marked) under.pixels[i] = mask_underflow;
    }
    for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile}) {
      check::same(background(dark, policy, under).reason, Reason::background_not_resolved);
    }
  }
  // Zeros far below the level are a drape, not a tail.
  Image drape = scene::noise(100, 100, 100, 5, 10);
  std::fill_n(drape.pixels.begin(), 2000, 0.0F);
  check::same(background(drape).reason, Reason::none);
  check::near(background(drape).level, 100, 0.3);
}

void undefined() {
  const Image small(3, 5, 9);
  check::same(background(small).reason, Reason::too_few_pixels);
  check::is_nan(background(small).level);
  check::equal(background(small).n_pixels, 15U);
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{1, 40}, {40, 1}, {4, 4}}) {
    check::equal(background(Image(height, width, 9)).level, 9.0);
  }

  const Image image = scene::noise(40, 40, 100, 5, 5);
  const auto mode = BackgroundPolicy::mode;
  check::same(background(image, mode, Mask(40, 40, mask_out_of_range)).reason, Reason::out_of_range);
  check::same(background(image, mode, Mask(40, 40, mask_saturated)).reason, Reason::too_few_pixels);
  check::same(background(image, mode, Mask(40, 40, mask_repaired)).reason, Reason::none);

  const Background zero = background(scene::noise(40, 40, 0, 5, 6));
  check::same(zero.reason, Reason::background_not_resolved);
  check::near(zero.level, 0, 1);
  check::same(background(Image(40, 40, 0)).reason, Reason::background_not_resolved);

  // What the mask leaves out is not looked at.
  Image odd = scene::noise(40, 40, 100, 5, 7);
  Mask mask(40, 40);
  for (std::size_t i = 0; i < 300; ++i) {
    odd.pixels[i] = std::numeric_limits<float>::quiet_NaN();
    mask.pixels[i] = mask_not_finite;
  }
  for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile}) {
    check::near(background(odd, policy, mask).level, policy == BackgroundPolicy::percentile ? 96.6 : 100, 1);
  }
}

// A workspace keeps nothing of the frame before, and rows may be stored bottom up.
void workspace() {
  BackgroundWorkspace ws;
  const Image image = scene::noise(50, 60, 100, 8, 11);
  const Mask mask(50, 60);
  const Mask lesion = square(50, 60, 10, 10, 9);
  const scene::BottomUp<float> stored(image);
  for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile,
                            BackgroundPolicy::annulus, BackgroundPolicy::distant}) {
    BackgroundOptions o;
    o.policy = policy;
    o.signal = lesion.view();
    const Background fresh = background(scene::frame(image, mask), o);
    const Image other = scene::noise(90, 20, 3, 1, 12);
    estimate_background(scene::frame(other, Mask(90, 20)), {}, ws);
    const Background again = estimate_background(scene::frame(image, mask), o, ws);
    const Background below = estimate_background({stored.view(), mask.view()}, o, ws);
    for (const Background& b : {again, below}) {
      check::equal(b.level, fresh.level);
      check::equal(b.sem, fresh.sem);
      check::equal(b.dof, fresh.dof);
      check::equal(b.n_pixels, fresh.n_pixels);
    }
  }
}

}  // namespace

int main() {
  mode_is_robust();
  mode_error();
  mode_of_skewed_light();
  tile_plan();
  mode_of_whole_counts();
  mode_without_noise();
  find_modes();
  policies();
  around_a_lesion();
  empty_field();
  clipped();
  undefined();
  workspace();
  return check::result();
}
