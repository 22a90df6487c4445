#include "pyicg/contrast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "detail/select.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr std::size_t min_background_pixels = 16;
constexpr double clipped_share = 0.05;  // more counts at zero than this, and a level near zero: clipped there

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

// Mode: the fixed point of the mean under Gaussian weights of width h = sigma, with sigma from the same weights. For a
// normal distribution the weighted variance is 1/(1/sigma^2 + 1/h^2), the mean weight 1/sqrt(1 + r^2) with r = sigma/h,
// and the fixed point has variance sigma^2/n (1 + r^2)^3/(1 + 2 r^2)^1.5 (an M-estimator with psi = d exp(-d^2/2h^2)).
// Weights without an edge: a window with one holds now more, now fewer whole grey levels and settles where it should
// not.
Background mode_background(std::span<const float> values, double step) {
  const Densest start = densest_interval(values);
  const double unit = std::max(start.width, step);

  // Within 8 widths, binned once: sums per bin, so that nothing is lost to the bins' own width.
  constexpr std::size_t bins = 4096;
  std::array<double, bins> count{};
  std::array<double, bins> sum{};
  for (const float v : values) {
    const double d = static_cast<double>(v) - start.centre;
    if (!(std::fabs(d) <= 8 * unit)) continue;
    const double position = unit > 0 ? (d / unit + 8) * (bins / 16.0) : 0.0;
    const std::size_t bin = std::min(static_cast<std::size_t>(position), bins - 1);
    count[bin] += 1;
    sum[bin] += d;
  }
  double level = 0;  // from the centre
  double sigma = unit;
  double held = std::accumulate(count.begin(), count.end(), 0.0);
  double r = 1;
  for (int iteration = 0; iteration < 60 && std::max(sigma, step) > 0; ++iteration) {
    // Whole grey levels: weights narrower than one would only ever see one of them.
    const double h = std::max(sigma, step);
    double sum_w = 0;
    double sum_d = 0;
    double sum_sq = 0;
    double close = 0;
    for (std::size_t bin = 0; bin < bins; ++bin) {
      if (count[bin] == 0) continue;
      const double d = sum[bin] / count[bin] - level;
      const double weight = std::exp(-0.5 * (d / h) * (d / h));
      const double w = count[bin] * weight;
      if (weight > 0.5) close += count[bin];
      sum_w += w;
      sum_d += w * d;
      sum_sq += w * d * d;
    }
    if (!(sum_w > 0)) break;
    const double shift = sum_d / sum_w;
    const double variance = std::max(sum_sq / sum_w - shift * shift, 0.0);
    // As wide as the weights or wider: no peak at this scale, look at a larger one.
    const double next = variance < 0.8 * h * h ? std::sqrt(variance / (1 - variance / (h * h))) : 2 * h;
    r = next / h;
    held = variance > 0 ? sum_w * std::sqrt(1 + r * r) : close;  // without scatter every close pixel counts whole
    const bool settled = std::fabs(shift) <= 1e-4 * h && std::fabs(next - sigma) <= 1e-4 * h;
    level += shift;
    sigma = next;
    if (settled) break;
  }
  Background b;
  b.level = start.centre + level;
  b.sigma = sigma;
  b.n_pixels = std::min(static_cast<std::size_t>(std::lround(held)), values.size());
  const double scatter = sigma * std::sqrt(std::pow(1 + r * r, 3) / std::pow(1 + 2 * r * r, 1.5) /
                                           static_cast<double>(std::max<std::size_t>(b.n_pixels, 1)));
  // Noise too small to dither the grey levels leaves the level unknown within one of them: step / sqrt(12).
  b.sem = std::hypot(scatter, sigma < step ? step / std::sqrt(12.0) : 0.0);
  return b;
}

// Published tumour-to-liver ratios end at 18.7 (van der Vorst 2013), so a background that a tenth of the frame exceeds
// twentyfold is no liver: it is the table around a specimen. Drops it from `values`; false: it is no empty field.
bool leave_out_empty_field(const Background& found, std::vector<float>& values) {
  constexpr double beyond_any_lesion = 20;
  constexpr double share = 0.1;
  // The field's own spread, and light that strays into it from the specimen.
  const double field_ends = std::max(found.level + 10 * found.sigma, 5 * found.level);
  const double tissue_begins = std::max(beyond_any_lesion * found.level, field_ends);
  const auto over = [&](float v) { return static_cast<double>(v) > tissue_begins; };
  const auto tissue = static_cast<std::size_t>(std::count_if(values.begin(), values.end(), over));
  if (tissue < min_background_pixels) return false;
  if (static_cast<double>(tissue) < share * static_cast<double>(values.size())) return false;
  std::erase_if(values, [&](float v) { return !(static_cast<double>(v) > field_ends); });
  return true;
}

// 1.4826 x MAD is the standard deviation of a normal distribution; sqrt(pi/2) the median's standard error over the
// mean's.
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
                               std::vector<float>& scratch, double step) {
  check_shape(mask, data, "mask");
  if (use.data != nullptr) check_shape(use, data, "the background mask");
  if (exclude.data != nullptr) check_shape(exclude, data, "exclude");
  if (policy == BackgroundPolicy::mask && use.data == nullptr) {
    throw Error(ErrorKind::input, "the background policy \"mask\" needs a mask of the pixels to use");
  }
  scratch.clear();
  std::uint8_t seen = 0;
  std::size_t zeros = 0;
  for (std::size_t y = 0; y < data.height; ++y) {
    for (std::size_t x = 0; x < data.width; ++x) {
      if (use.data != nullptr && use(y, x) == 0) continue;
      if (exclude.data != nullptr && exclude(y, x) != 0) continue;
      seen |= mask(y, x);
      const bool clipped = (mask(y, x) & mask_underflow) != 0;
      if ((mask(y, x) & mask_left_out) == 0) scratch.push_back(data(y, x));
      zeros += clipped || ((mask(y, x) & mask_left_out) == 0 && data(y, x) == 0.0F);
    }
  }
  const bool piled_up = static_cast<double>(zeros) > clipped_share * static_cast<double>(scratch.size());
  Background b;
  if (scratch.size() < min_background_pixels) {
    b.n_pixels = scratch.size();
    b.reason = (seen & mask_out_of_range) != 0 ? Reason::out_of_range : Reason::too_few_pixels;
    return b;
  }
  switch (policy) {
    case BackgroundPolicy::mode:
      b = mode_background(scratch, step);
      if (!(piled_up && b.level < 2 * b.sigma) && leave_out_empty_field(b, scratch)) {
        b = mode_background(scratch, step);
        b.empty_field = true;
      }
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
  // A background whose lower tail is cut off at zero is not known, however many pixels say so.
  const bool clipped = piled_up && b.level < 2 * b.sigma;
  if (clipped || !(b.level > z95 * b.sem)) b.reason = Reason::background_not_resolved;
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

Measurement signal_ratio(double level, double sem, const Background& background) {
  if (background.reason != Reason::none) return {nan, nan, -infinity, infinity, background.reason};
  return fieller_ratio(level, sem, background.level, background.sem);
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
  const Measurement ratio = signal_ratio(t, st, background);
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
