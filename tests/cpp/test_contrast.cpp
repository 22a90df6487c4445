#include "pyicg/contrast.hpp"

#include <cmath>
#include <numbers>
#include <utility>

#include "check.hpp"
#include "core/detail/student.hpp"
#include "pyicg/calibrate.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

using pyicg::nan;  // not the C library's

// A region of n independent pixels.
RegionStats region_of(std::size_t n, double mean, double sd, std::size_t saturated = 0, double dof = infinity) {
  RegionStats s;
  s.n = n;
  s.mean = mean;
  s.sd = sd;
  s.sem = n > 1 ? sd / std::sqrt(static_cast<double>(n)) : nan;
  s.saturated = saturated;
  s.budget.sampling = s.sem;
  s.dof = dof;
  s.effective_pixels = static_cast<double>(n);
  return s;
}

Background background_of(double level, double sigma, double sem, std::size_t n, Reason reason = Reason::none) {
  Background b;
  b.level = level;
  b.sigma = sigma;
  b.sem = sem;
  b.n_pixels = n;
  b.reason = reason;
  b.budget.sampling = sem;
  return b;
}

void student() {
  struct Row {
    double dof, t, tolerance;
  };
  // Tables to seven figures.
  for (const Row& row : {Row{1, 12.7062047, 1e-6}, Row{2, 4.3026527, 1e-6}, Row{3, 3.1824463, 1e-3},
                         Row{4, 2.7764451, 1e-3}, Row{5, 2.5705818, 5e-4}, Row{10, 2.2281389, 1e-5},
                         Row{30, 2.0422725, 1e-6}, Row{100, 1.9839715, 1e-6}, Row{infinity, z95, 0}}) {
    check::near(detail::student_975(row.dof), row.t, row.tolerance);
  }
  check::equal(detail::student_975(0.2), detail::student_975(1));  // no fewer than one
  double before = infinity;
  for (int i = 0; i <= 2000; ++i) {
    const double t = detail::student_975(1 / (1 - static_cast<double>(i) / 2000));
    check::is_true(t <= before, "a smaller quantile with more degrees of freedom");
    before = t;
  }
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
    // t in place of z is z with wider errors.
    const Measurement wider = fieller_ratio(c.a, c.sa, c.b, c.sb, 1.5 * z95);
    const Measurement scaled = fieller_ratio(c.a, 1.5 * c.sa, c.b, 1.5 * c.sb);
    check::near(wider.lo, scaled.lo, 1e-12);
    check::near(wider.hi, scaled.hi, 1e-12);
    check::near(wider.sigma, c.sigma, 1e-14);
  }
  // No bounds where the denominator is not told from zero.
  for (const auto& [b, t] : {std::pair{1.95, z95}, {0.0, z95}, {-5.0, z95}, {4.0, 4.302652729911275}}) {
    const Measurement m = fieller_ratio(3, 0.1, b, 1, t);
    check::is_nan(m.value);
    check::equal(m.lo, -infinity);
    check::equal(m.hi, infinity);
    check::same(m.reason, Reason::background_not_resolved);
  }
  check::near(fieller_ratio(3, 0, 2, 0).hi, 1.5, 1e-15);
  check::near(signal_ratio(30, 1, background_of(10, 2, 0.2, 100)).hi, fieller_ratio(30, 1, 10, 0.2).hi, 0);
  const Measurement none = signal_ratio(30, 1, background_of(10, 2, 0.2, 100, Reason::background_saturated));
  check::is_nan(none.value);
  check::same(none.reason, Reason::background_saturated);
}

void figures() {
  const RegionStats signal = region_of(400, 30, 2);
  const Background b = background_of(10, 1.5, 0.1, 1001);
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
  // A spread whose own error was told.
  Background told = b;
  told.sigma_error = 0.3;
  check::near(contrast(signal, told, 5, Reason::none).cnr.sigma, std::sqrt(0.02 / 2.25 + cnr * cnr * 0.04), 1e-12);
}

// A spread from few values widens by Student's t, as far as it is what the error is made of.
void few_degrees_of_freedom() {
  RegionStats signal = region_of(10, 30, 2, 0, 9);
  Background b = background_of(10, 1.5, 0.1, 1001);
  b.budget = {};  // known, not estimated
  Contrast c = contrast(signal, b, 0, Reason::none);
  const double t9 = detail::student_975(9);
  check::near(c.signal_level.hi, 30 + t9 * signal.sem, 1e-12);
  check::near(c.background_level.hi, 10 + z95 * 0.1, 1e-12);
  // Welch and Satterthwaite: sem^2 + (r sb)^2 over what of it was estimated.
  const double share = signal.sem * signal.sem / (signal.sem * signal.sem + 9 * 0.01);
  const double t = detail::student_975(9 / (share * share));
  check::near(c.sbr.hi, fieller_ratio(30, signal.sem, 10, 0.1, t).hi, 1e-12);
  check::near(c.sbr.lo, fieller_ratio(30, signal.sem, 10, 0.1, t).lo, 1e-12);

  b.budget.sampling = 0.1;
  b.dof = 4;
  c = contrast(signal, b, 0, Reason::none);
  check::near(c.background_level.hi, 10 + detail::student_975(4) * 0.1, 1e-12);
  const double vt = signal.sem * signal.sem;
  const double both = detail::student_975((vt + 0.01) * (vt + 0.01) / (vt * vt / 9 + 0.0001 / 4));
  check::near(c.cnr.hi - c.cnr.value, both * c.cnr.sigma, 1e-12);

  // Half of the variance from the camera's profile: four times the degrees of freedom.
  signal.budget = {signal.sem / std::numbers::sqrt2, signal.sem / std::numbers::sqrt2, 0, 0};
  check::near(contrast(signal, b, 0, Reason::none).signal_level.hi, 30 + detail::student_975(36) * signal.sem, 1e-12);
}

void reasons() {
  const RegionStats signal = region_of(400, 30, 2);
  const Background b = background_of(10, 1.5, 0.1, 1001);
  const Contrast bare = contrast(signal, b, 0, Reason::uncalibrated);
  check::same(bare.sbr.reason, Reason::uncalibrated);
  check::same(bare.cvr.reason, Reason::uncalibrated);
  check::near(bare.sbr.value, 3, 1e-12);

  const Contrast bound = contrast(region_of(400, 30, 2, 1), b, 0, Reason::uncalibrated);
  check::same(bound.sbr.reason, Reason::saturated_lower_bound);
  check::equal(bound.sbr.hi, infinity);
  check::equal(bound.michelson.hi, 1.0);
  check::same(bound.background_level.reason, Reason::uncalibrated);

  const Contrast none = contrast(region_of(1, 30, nan), b, 0, Reason::none);
  check::is_nan(none.sbr.value);
  check::same(none.sbr.reason, Reason::too_few_pixels);
  check::near(none.background_level.value, 10, 0);

  const Contrast dark =
      contrast(signal, background_of(0.1, 1, 0.2, 25, Reason::background_not_resolved), 0, Reason::none);
  for (const Measurement& m : {dark.sbr, dark.weber, dark.michelson}) {
    check::is_nan(m.value);
    check::same(m.reason, Reason::background_not_resolved);
  }
  check::near(dark.cnr.value, 29.9, 1e-12);  // a difference needs no ratio

  const Contrast flat = contrast(region_of(400, 30, 0), background_of(10, 0, 0, 1000), 0, Reason::none);
  check::near(flat.sbr.value, 3, 1e-12);
  check::same(flat.cnr.reason, Reason::background_not_resolved);

  // Nothing is known of a background that was clipped, and its spread least of all.
  const Contrast clipped = contrast(region_of(400, 30, 2, 3),
                                    background_of(29, 0.1, 0.01, 900, Reason::background_saturated), 5, Reason::none);
  for (const Measurement& m :
       {clipped.sbr, clipped.sbr_raw, clipped.weber, clipped.michelson, clipped.cnr, clipped.cvr}) {
    check::is_nan(m.value);
    check::same(m.reason, Reason::background_saturated);
  }
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
  const RegionStats s = region_stats(scene::frame(image, mask), region.view());
  check::equal(s.n, 6U);
  check::near(s.mean, 4.5, 1e-12);
  check::near(s.sd, std::sqrt(17.5 / 5), 1e-12);
  check::near(s.sem, s.sd / std::sqrt(6.0), 1e-12);
  check::is_nan(s.budget.pixel_noise);
  check::equal(s.saturated, 1U);
  const Mask nothing(2, 4);
  check::equal(region_stats(scene::frame(image, mask), nothing.view()).n, 0U);
  check::is_nan(region_stats(scene::frame(image, mask), nothing.view()).mean);
  const Mask other(4, 2);
  check::throws(ErrorKind::input, [&] { region_stats(scene::frame(image, mask), other.view()); });
  for (const double px : {-1.0, nan, infinity}) {
    check::throws(ErrorKind::unit, [&] { region_stats(scene::frame(image, mask), region.view(), px); });
  }
}

// The parts join to the whole: what the camera adds is taken off what scatters.
void budgets() {
  const Image image = scene::noise(40, 40, 100, 5, 9);
  const Mask mask(40, 40);
  const Mask all(40, 40, 1);
  const Image variance(40, 40, 9);
  const RegionStats blind = region_stats(scene::frame(image, mask), all.view());
  const RegionStats seen = region_stats({image.view(), mask.view(), variance.view()}, all.view());
  check::near(seen.budget.pixel_noise, 3.0 / 40, 1e-12);
  check::near(std::hypot(seen.budget.sampling, seen.budget.pixel_noise), blind.budget.sampling, 1e-12);
  check::near(blind.budget.sampling, blind.sd / 40, 1e-12);
  check::near(seen.sem, blind.sem, 1e-12);
  check::near(seen.budget.total(), seen.sem, 1e-15);
  // A profile that claims more noise than there is: all of it counts.
  const Image loud(40, 40, 100);
  const RegionStats claimed = region_stats({image.view(), mask.view(), loud.view()}, all.view());
  check::near(claimed.budget.pixel_noise, 10.0 / 40, 1e-12);
  check::equal(claimed.budget.sampling, 0.0);

  // Whole counts that nothing dithers are known to 1/sqrt(12) of one.
  const Image flat(10, 10, 7);
  const RegionStats rounded = region_stats(scene::frame(flat, Mask(10, 10), 0.5), Mask(10, 10, 1).view());
  check::near(rounded.budget.pixel_noise, 0.5 / std::sqrt(12.0), 1e-12);
  check::near(rounding_error(0, 1), std::sqrt(1.0 / 12), 1e-12);
  check::near(rounding_error(std::sqrt(0.25 + 1.0 / 12), 1),
              std::sqrt(1.0 / 12) * std::exp(-std::numbers::pi * std::numbers::pi / 2), 1e-12);
  check::equal(rounding_error(1, 0), 0.0);
}

// On a ramp the mean moves by the gradient times the displacement, whole pixels or not.
void placement() {
  Image ramp(60, 80);
  for (std::size_t y = 0; y < 60; ++y) {
    for (std::size_t x = 0; x < 80; ++x) {
      ramp(y, x) = static_cast<float>(500 + 2 * static_cast<double>(y) - 1.5 * static_cast<double>(x));
    }
  }
  const Mask mask(60, 80);
  const Image exact(60, 80, 0);
  Mask region(60, 80);
  for (std::size_t y = 20; y < 40; ++y) {
    for (std::size_t x = 30; x < 50; ++x) region(y, x) = 1;
  }
  for (const double px : {0.25, 1.0, 2.0, 3.7}) {
    const RegionStats s = region_stats({ramp.view(), mask.view(), exact.view()}, region.view(), px);
    check::near(s.budget.placement, std::hypot(2.0, 1.5) * px, 1e-9);
    check::near(s.sem, s.budget.total(), 1e-12);
  }
  check::equal(region_stats(scene::frame(ramp, mask), region.view()).budget.placement, 0.0);

  // Fresh noise under a moved region is no placement error.
  constexpr std::uint32_t runs = 40;
  double mean = 0;
  for (std::uint32_t seed = 1; seed <= runs; ++seed) {
    const Image noise = scene::noise(60, 80, 500, 10, seed);
    const double found = region_stats(scene::frame(noise, mask), region.view(), 2).budget.placement;
    mean += found * found / runs;
  }
  check::is_true(std::sqrt(mean) < 0.3, "less than half of the noise of the mean, 10/20");
}

// Regions at the border and with holes, moved by more than the frame too: pixel by pixel.
void regions_pixel_by_pixel() {
  scene::Normal random(21);
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{23, 41}, {1, 30}, {40, 3}}) {
    const Image image = scene::noise(height, width, 100, 9, 22);
    Mask mask(height, width);
    Mask region(height, width);
    for (std::size_t i = 0; i < region.pixels.size(); ++i) {
      if (random.uniform() < 0.1) mask.pixels[i] = random.uniform() < 0.5 ? mask_bad : mask_saturated;
      if (i % width > width / 2 && random.uniform() < 0.8) region.pixels[i] = 1;
    }
    struct Sums {
      double n = 0;
      double sum = 0;
    };
    const auto moved = [&](std::ptrdiff_t dy, std::ptrdiff_t dx) {
      Sums s;
      for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
          const std::size_t yy = y + static_cast<std::size_t>(dy);  // beyond the frame it wraps to a large one
          const std::size_t xx = x + static_cast<std::size_t>(dx);
          if (region(y, x) == 0 || yy >= height || xx >= width || (mask(yy, xx) & mask_bad) != 0) continue;
          s.n += 1;
          s.sum += static_cast<double>(image(yy, xx));
        }
      }
      return s;
    };
    const Sums here = moved(0, 0);
    const double mean = here.sum / here.n;
    double squares = 0;
    std::size_t saturated = 0;
    for (std::size_t i = 0; i < region.pixels.size(); ++i) {
      if (region.pixels[i] == 0 || (mask.pixels[i] & mask_bad) != 0) continue;
      const double d = static_cast<double>(image.pixels[i]) - mean;
      squares += d * d;
      saturated += (mask.pixels[i] & mask_saturated) != 0;
    }
    const Image exact(height, width, 0);
    for (const double px : {0.4, 1.7, 6.0, 25.0}) {
      const double reach = std::numbers::sqrt2 * px;
      const auto whole = static_cast<std::ptrdiff_t>(reach);
      const double share = reach - static_cast<double>(whole);
      double change = 0;
      double ways = 0;
      for (const auto& [dy, dx] : {std::pair<int, int>{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
        const Sums near = moved(dy * whole, dx * whole);
        const Sums far = moved(dy * (whole + 1), dx * (whole + 1));
        if (near.n == 0 || far.n == 0) continue;
        const double d = (1 - share) * near.sum / near.n + share * far.sum / far.n - mean;
        change += d * d;
        ways += 1;
      }
      const CalibratedView frame{image.view(), mask.view(), exact.view(), 0};
      if (ways == 0) {
        check::throws(ErrorKind::unit, [&] { region_stats(frame, region.view(), px); });
        continue;
      }
      const RegionStats s = region_stats(frame, region.view(), px);
      check::equal(static_cast<double>(s.n), here.n);
      check::equal(s.saturated, saturated);
      check::near(s.mean, mean, 1e-10);
      check::near(s.sd, std::sqrt(squares / (here.n - 1)), 1e-10);
      check::near(s.budget.placement, std::sqrt(change / ways), 1e-10);
    }
  }
}

void plateau() {
  Image image = scene::noise(200, 200, 100, 0.5, 2);
  Mask signal(200, 200);
  for (std::size_t y = 60; y < 120; ++y) {
    for (std::size_t x = 70; x < 130; ++x) {
      image(y, x) += 150;
      signal(y, x) = 1;
    }
  }
  const Mask mask(200, 200);
  const CalibratedView frame = scene::frame(image, mask);
  BackgroundWorkspace ws;
  const Background b = estimate_background(frame, {}, ws);
  const Contrast c = contrast(region_stats(frame, signal.view()), b, 0, Reason::none);
  check::near(c.sbr.value, 2.5, 1e-3);
  check::is_true(c.sbr.lo < 2.5 && 2.5 < c.sbr.hi, "the interval holds 2.5");
}

}  // namespace

int main() {
  student();
  fieller();
  figures();
  few_degrees_of_freedom();
  reasons();
  regions();
  budgets();
  placement();
  regions_pixel_by_pixel();
  plateau();
  return check::result();
}
