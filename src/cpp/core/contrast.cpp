#include "pyicg/contrast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "detail/select.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr std::size_t min_background_pixels = 16;

// Shortest interval that holds a quarter of the values, found on a histogram that zooms in until it is finely resolved.
struct Densest {
  double centre;
  double width;
};

Densest densest_interval(std::span<const float> values) {
  constexpr std::size_t bins = 4096;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  double lo = static_cast<double>(*least);
  double hi = static_cast<double>(*most);
  const std::size_t wanted = (values.size() + 3) / 4;
  Densest found{0.5 * (lo + hi), hi - lo};
  std::array<std::size_t, bins> count{};
  for (int zoom = 0; zoom < 6 && hi > lo; ++zoom) {
    count.fill(0);
    const double per_bin = (hi - lo) / bins;
    for (const float v : values) {
      const double position = (static_cast<double>(v) - lo) / per_bin;
      if (position < 0 || position > bins) continue;
      ++count[std::min(static_cast<std::size_t>(position), bins - 1)];
    }
    std::size_t best_width = bins;
    std::size_t best_first = 0;
    std::size_t best_held = 0;
    std::size_t held = 0;
    for (std::size_t first = 0, last = 0; last < bins; ++last) {
      held += count[last];
      while (held - count[first] >= wanted) held -= count[first++];
      const std::size_t width = last - first + 1;
      // Of equally short intervals the fullest: ties decided by content, then by position.
      if (held >= wanted && (width < best_width || (width == best_width && held > best_held))) {
        best_width = width;
        best_first = first;
        best_held = held;
      }
    }
    found.width = static_cast<double>(best_width) * per_bin;
    found.centre = lo + (static_cast<double>(best_first) + 0.5 * static_cast<double>(best_width)) * per_bin;
    if (best_width >= 64) break;
    lo = found.centre - 8 * found.width;
    hi = found.centre + 8 * found.width;
  }
  return found;
}

// Distance from `level` to the nearest other value: the grey-level step where the data are coarsely quantised.
double nearest_step(std::span<const float> values, double level) {
  double step = infinity;
  for (const float v : values) {
    const double gap = std::fabs(static_cast<double>(v) - level);
    if (gap > 1e-6 * std::max(std::fabs(level), 1e-30)) step = std::min(step, gap);
  }
  return std::isfinite(step) ? step : 0.0;
}

// Mode: the fixed point of the mean within 1.5 sigma, with sigma from the same window. For a normal distribution cut at
// k = 1.5 sigma the standard deviation is sqrt(1 - 2 k phi(k)/(2 Phi(k) - 1)) = 0.7426 sigma, the window holds
// 86.64 % of the pixels, and the fixed point has variance sigma^2 / (0.4778 n) (an M-estimator with a cut-off psi).
Background mode_background(std::span<const float> values) {
  constexpr double k = 1.5;
  constexpr double cut_sd = 0.7426;
  constexpr double held_share = 0.8664;
  constexpr double efficiency = 0.4778;
  const Densest start = densest_interval(values);
  double level = start.centre;
  double sigma = std::max(start.width, 0.0);
  // Whole grey levels: a window narrower than a level would only ever see one of them.
  const double step = start.width < 1e-3 * std::fabs(level) || start.width == 0 ? nearest_step(values, level) : 0.0;
  std::size_t n = 0;
  for (int iteration = 0; iteration < 60; ++iteration) {
    const double reach = std::max(k * sigma, 1.5 * step);
    double sum = 0;
    double sum_sq = 0;
    n = 0;
    for (const float v : values) {
      const double d = static_cast<double>(v) - level;
      if (std::fabs(d) > reach) continue;
      sum += d;
      sum_sq += d * d;
      ++n;
    }
    if (n == 0) break;
    const double shift = sum / static_cast<double>(n);
    const double sd = std::sqrt(std::max(sum_sq / static_cast<double>(n) - shift * shift, 0.0));
    const double next = reach > k * sigma ? sd : sd / cut_sd;
    const bool settled = std::fabs(shift) <= 1e-4 * sigma && std::fabs(next - sigma) <= 1e-3 * sigma;
    level += shift;
    sigma = next;
    if (settled) break;
  }
  Background b;
  b.level = level;
  b.sigma = sigma;
  b.n_pixels = static_cast<std::size_t>(static_cast<double>(n) / held_share);
  b.n_pixels = std::min(b.n_pixels, values.size());
  b.sem = sigma / std::sqrt(efficiency * static_cast<double>(std::max<std::size_t>(b.n_pixels, 1)));
  return b;
}

// 1.4826 x MAD is the standard deviation of a normal distribution; sqrt(pi/2) the median's standard error over the mean's.
constexpr double mad_to_sigma = 1.4826022185056018;
constexpr double median_error = 1.2533141373155001;

Background median_background(std::vector<float>& values) {
  Background b;
  std::vector<float> deviation;
  for (std::size_t before = 0; before != values.size();) {
    before = values.size();
    b.level = detail::median(values);
    deviation.assign(values.begin(), values.end());
    for (float& v : deviation) v = std::fabs(v - static_cast<float>(b.level));
    b.sigma = mad_to_sigma * detail::median(deviation);
    if (b.sigma == 0) break;
    std::erase_if(values, [&](float v) { return std::fabs(static_cast<double>(v) - b.level) > 3 * b.sigma; });
  }
  b.n_pixels = values.size();
  b.sem = median_error * b.sigma / std::sqrt(static_cast<double>(b.n_pixels));
  return b;
}

// 25th percentile. sigma from the spread below it (for a normal distribution the 5th and the 25th percentile lie
// 0.9704 sigma apart); standard error sqrt(q (1 - q)) / phi(z_q) = 1.3626 sigma/sqrt(n).
Background percentile_background(std::vector<float>& values) {
  Background b;
  b.level = detail::quantile(values, 0.25);
  b.sigma = (b.level - detail::quantile(values, 0.05)) / 0.9704;
  b.n_pixels = values.size();
  b.sem = 1.3626 * b.sigma / std::sqrt(static_cast<double>(b.n_pixels));
  return b;
}

void check_shape(ImageView<const std::uint8_t> view, ImageView<const float> data, const char* name) {
  if (view.height != data.height || view.width != data.width) {
    throw Error(ErrorKind::input, std::string(name) + " is " + std::to_string(view.height) + " x " +
                                      std::to_string(view.width) + ", the frame " + std::to_string(data.height) +
                                      " x " + std::to_string(data.width));
  }
}

}  // namespace

RegionStats region_stats(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                         ImageView<const std::uint8_t> region) {
  check_shape(mask, data, "mask");
  check_shape(region, data, "region");
  constexpr std::uint8_t left_out = mask_left_out & ~mask_saturated;
  RegionStats s;
  double sum = 0;
  const auto each = [&](auto&& visit) {
    for (std::size_t y = 0; y < data.height; ++y) {
      for (std::size_t x = 0; x < data.width; ++x) {
        if (region(y, x) != 0 && (mask(y, x) & left_out) == 0) visit(static_cast<double>(data(y, x)), mask(y, x));
      }
    }
  };
  each([&](double v, std::uint8_t bits) {
    sum += v;
    ++s.n;
    s.saturated += (bits & mask_saturated) != 0;
  });
  if (s.n == 0) return s;
  s.mean = sum / static_cast<double>(s.n);
  if (s.n < 2) return s;
  double squares = 0;
  each([&](double v, std::uint8_t) { squares += (v - s.mean) * (v - s.mean); });
  s.sd = std::sqrt(squares / static_cast<double>(s.n - 1));
  return s;
}

Background estimate_background(ImageView<const float> data, ImageView<const std::uint8_t> mask, BackgroundPolicy policy,
                               ImageView<const std::uint8_t> use, ImageView<const std::uint8_t> exclude,
                               std::vector<float>& scratch) {
  check_shape(mask, data, "mask");
  if (use.data != nullptr) check_shape(use, data, "the background mask");
  if (exclude.data != nullptr) check_shape(exclude, data, "exclude");
  if (policy == BackgroundPolicy::mask && use.data == nullptr) {
    throw Error(ErrorKind::input, "the background policy \"mask\" needs a mask of the pixels to use");
  }
  scratch.clear();
  std::uint8_t seen = 0;
  for (std::size_t y = 0; y < data.height; ++y) {
    for (std::size_t x = 0; x < data.width; ++x) {
      if (use.data != nullptr && use(y, x) == 0) continue;
      if (exclude.data != nullptr && exclude(y, x) != 0) continue;
      seen |= mask(y, x);
      if ((mask(y, x) & mask_left_out) == 0) scratch.push_back(data(y, x));
    }
  }
  Background b;
  if (scratch.size() < min_background_pixels) {
    b.n_pixels = scratch.size();
    b.reason = (seen & mask_out_of_range) != 0 ? Reason::out_of_range : Reason::too_few_pixels;
    return b;
  }
  switch (policy) {
    case BackgroundPolicy::mode:
      b = mode_background(scratch);
      break;
    case BackgroundPolicy::median:
      b = median_background(scratch);
      break;
    case BackgroundPolicy::percentile:
      b = percentile_background(scratch);
      break;
    case BackgroundPolicy::mask: {
      const detail::Moments m = detail::moments(scratch);
      b.level = m.mean;
      b.sigma = m.sd;
      b.n_pixels = m.n;
      b.sem = m.sd / std::sqrt(static_cast<double>(m.n));
      break;
    }
  }
  if (!(b.level > z95 * b.sem)) b.reason = Reason::background_not_resolved;
  return b;
}

Measurement fieller_ratio(double a, double sa, double b, double sb) {
  const double z2 = z95 * z95;
  const double qa = b * b - z2 * sb * sb;
  if (!(qa > 0) || !(b > 0)) return {nan, nan, -infinity, infinity, Reason::background_not_resolved};
  const double qc = a * a - z2 * sa * sa;
  const double root = std::sqrt(std::max(a * a * b * b - qa * qc, 0.0));
  const double ratio = a / b;
  return {ratio, std::sqrt(sa * sa + ratio * ratio * sb * sb) / b, (a * b - root) / qa, (a * b + root) / qa,
          Reason::none};
}

Contrast contrast(const RegionStats& signal, const Background& background, double offset, Reason why) {
  const double t = signal.mean;
  const double b = background.level;
  const bool no_background = std::isnan(b);
  Contrast c;
  if (signal.n < 2 || no_background) {
    const Reason missing = no_background ? background.reason : Reason::too_few_pixels;
    c.sbr = c.sbr_raw = c.weber = c.michelson = c.cnr = c.cvr = Measurement::undefined(missing);
    c.signal_level = signal.n < 2 ? Measurement::undefined(Reason::too_few_pixels)
                                  : normal_measurement(t, signal.sd / std::sqrt(static_cast<double>(signal.n)), why);
    c.background_level =
        no_background ? Measurement::undefined(background.reason) : normal_measurement(b, background.sem, why);
    return c;
  }
  const double st = signal.sd / std::sqrt(static_cast<double>(signal.n));
  const double sb = background.sem;
  c.signal_level = normal_measurement(t, st, why);
  c.background_level = normal_measurement(b, sb, why);

  const auto with_reason = [&](Measurement m) {
    if (m.reason == Reason::none) m.reason = why;
    return m;
  };
  const Measurement ratio = fieller_ratio(t, st, b, sb);
  c.sbr = with_reason(ratio);
  c.sbr_raw = with_reason(fieller_ratio(t + offset, st, b + offset, sb));
  // Weber = r - 1 and Michelson = (r - 1)/(r + 1) rise with the ratio r, so its bounds carry over.
  c.weber = c.sbr;
  c.weber.value -= 1;
  c.weber.lo -= 1;
  c.weber.hi -= 1;
  const auto michelson = [](double r) { return std::isfinite(r) ? (r - 1) / (r + 1) : (r > 0 ? 1.0 : -1.0); };
  if (ratio.reason != Reason::none || ratio.lo <= -1) {
    c.michelson = {nan, nan, -1.0, 1.0, Reason::background_not_resolved};
  } else {
    c.michelson = {michelson(ratio.value), 2 * ratio.sigma / ((ratio.value + 1) * (ratio.value + 1)),
                   michelson(ratio.lo), michelson(ratio.hi), why};
  }
  const double difference = t - b;
  const double var_difference = st * st + sb * sb;
  const auto over_spread = [&](double spread, double relative_var) {
    if (!(spread > 0)) return Measurement::undefined(Reason::background_not_resolved);
    const double value = difference / spread;
    return normal_measurement(value, std::sqrt(var_difference / (spread * spread) + value * value * relative_var), why);
  };
  // A standard deviation from n values has a relative variance of 1/(2 (n - 1)).
  const double rel_b = 1.0 / (2.0 * static_cast<double>(std::max<std::size_t>(background.n_pixels, 2) - 1));
  const double rel_t = 1.0 / (2.0 * static_cast<double>(signal.n - 1));
  const double vt = signal.sd * signal.sd;
  const double vb = background.sigma * background.sigma;
  c.cnr = over_spread(background.sigma, rel_b);
  c.cvr = over_spread(std::sqrt(vt + vb), (vt * vt * rel_t + vb * vb * rel_b) / ((vt + vb) * (vt + vb)));

  if (signal.saturated > 0) {
    // The true signal is at least what was counted: every figure that rises with T is a lower bound.
    for (Measurement* m : {&c.sbr, &c.sbr_raw, &c.weber, &c.michelson, &c.cnr, &c.cvr, &c.signal_level}) {
      if (std::isnan(m->value)) continue;
      m->hi = m == &c.michelson ? 1.0 : infinity;
      m->reason = Reason::saturated_lower_bound;
    }
  }
  return c;
}

}  // namespace pyicg
