#include "pyicg/contrast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <numbers>
#include <string>
#include <vector>

#include "background_parts.hpp"
#include "detail/blocks.hpp"
#include "detail/student.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr std::uint8_t no_signal_bits = mask_left_out & ~mask_saturated;

// A region's bounding box, and its valid pixels with an offset that moves the region over the frame.
struct Region {
  const CalibratedView& frame;
  ImageView<const std::uint8_t> mask;
  std::size_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;  // half open

  Region(const CalibratedView& frame_, ImageView<const std::uint8_t> mask_) : frame(frame_), mask(mask_) {
    x0 = mask.width;
    for (std::size_t y = 0; y < mask.height; ++y) {
      const std::uint8_t* row = mask.row(y);
      const std::size_t first = next_in(row, 0, mask.width);
      if (first == mask.width) continue;
      if (y1 == 0) y0 = y;
      y1 = y + 1;
      x0 = std::min(x0, first);
      x1 = std::max(x1, end_in(row, x1, mask.width));
    }
    if (y1 == 0) x0 = 0;
  }

  // Calls visit(y, x) for every pixel of the moved region that lies in the frame and may be used.
  template <class Visit>
  void each(std::ptrdiff_t dy, std::ptrdiff_t dx, const Visit& visit) const {
    for (std::size_t y = y0; y < y1; ++y) row(y, dy, dx, no_signal_bits, visit);
  }

  // The same for row y of the region, with a choice of what is left out.
  template <class Visit>
  void row(std::size_t y, std::ptrdiff_t dy, std::ptrdiff_t dx, std::uint8_t left_out, const Visit& visit) const {
    const std::ptrdiff_t to_y = static_cast<std::ptrdiff_t>(y) + dy;
    const auto height = static_cast<std::ptrdiff_t>(frame.data.height);
    if (to_y < 0 || to_y >= height) return;
    const auto width = static_cast<std::ptrdiff_t>(frame.data.width);
    const std::ptrdiff_t first = std::max(static_cast<std::ptrdiff_t>(x0), -dx);
    const std::ptrdiff_t last = std::min(static_cast<std::ptrdiff_t>(x1), width - dx);
    if (first >= last) return;
    const auto yy = static_cast<std::size_t>(to_y);
    const std::uint8_t* inside = mask.row(y);
    const std::uint8_t* bits = frame.mask.row(yy);
    const auto end = static_cast<std::size_t>(last);
    for (std::size_t x = next_in(inside, static_cast<std::size_t>(first), end); x < end;
         x = next_in(inside, x + 1, end)) {
      const auto xx = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(x) + dx);
      if ((bits[xx] & left_out) == 0) visit(yy, xx);
    }
  }

 private:
  // Behind the last pixel of the region in [x, end) of a row; x: none.
  static std::size_t end_in(const std::uint8_t* row, std::size_t x, std::size_t end) {
    for (std::uint64_t eight = 0; x + sizeof(eight) <= end; end -= sizeof(eight)) {
      std::memcpy(&eight, row + end - sizeof(eight), sizeof(eight));
      if (eight != 0) break;
    }
    while (end > x && row[end - 1] == 0) --end;
    return end;
  }

  // The first pixel of the region in [x, end) of a row; end: none.
  static std::size_t next_in(const std::uint8_t* row, std::size_t x, std::size_t end) {
    if (x < end && row[x] != 0) return x;
    for (std::uint64_t eight = 0; x + sizeof(eight) <= end; x += sizeof(eight)) {
      std::memcpy(&eight, row + x, sizeof(eight));
      if (eight != 0) break;
    }
    while (x < end && row[x] == 0) ++x;
    return x;
  }
};

// Variance of a pixel that a move of the region would not change: its noise, from the profile or from the differences
// between neighbours.
double local_variance(const Region& region, double noise_variance) {
  if (!std::isnan(noise_variance)) return noise_variance;
  const CalibratedView& f = region.frame;
  double squares = 0;
  double pairs = 0;
  const auto compare = [&](double v, std::size_t y, std::size_t x) {
    if (y >= f.data.height || x >= f.data.width) return;
    if (region.mask(y, x) == 0 || (f.mask(y, x) & no_signal_bits) != 0) return;
    const double d = v - static_cast<double>(f.data(y, x));
    squares += d * d;
    pairs += 1;
  };
  region.each(0, 0, [&](std::size_t y, std::size_t x) {
    const auto v = static_cast<double>(f.data(y, x));
    compare(v, y, x + 1);
    compare(v, y + 1, x);
  });
  return pairs > 0 ? squares / (2 * pairs) : 0.0;
}

Error placement_error(double placement_px) {
  return {ErrorKind::unit,
          "placement_px must be 0 or a few pixels, so that the region still lies in the frame; found " +
              std::to_string(placement_px)};
}

// Pixels at count 0: marked as cut off, or usable ones of that value where values do not scatter below it.
struct AtZero {
  std::size_t marked = 0;
  std::size_t zeros = 0;
  std::size_t negative = 0;

  // Over a twentieth of the pixels, and a mean near there: the lower tail is cut off, as for a background.
  [[nodiscard]] bool cut_off(const RegionStats& s) const {
    constexpr double share = 0.05;
    const std::size_t cut = marked + (negative <= zeros / 10 ? zeros : 0);
    return static_cast<double>(cut) > share * static_cast<double>(s.n) && s.mean < 3 * s.sd;
  }
};

// How much the mean changes when the region lies elsewhere: its mean square over the four points sqrt(2) placement_px
// up, down, left and right, which have the variance of the displacement; exact where the mean changes linearly, and a
// mean square where it is at an extremum. A move also exchanges pixels and with them their noise, which is taken off.
double placement_variance(const Region& region, double mean, std::size_t n, double pixel_variance,
                          double placement_px) {
  const double reach = std::numbers::sqrt2 * placement_px;
  const auto whole = static_cast<std::ptrdiff_t>(std::floor(reach));
  const double share = reach - std::floor(reach);
  const auto moved = [&](std::ptrdiff_t dy, std::ptrdiff_t dx) {
    double sum = 0;
    double count = 0;
    double stayed = 0;
    region.each(dy, dx, [&](std::size_t y, std::size_t x) {
      sum += static_cast<double>(region.frame.data(y, x));
      count += 1;
      stayed += region.mask(y, x) != 0 ? 1 : 0;
    });
    struct Moved {
      double count;
      double mean;
      double noise;
    };
    const double left = static_cast<double>(n) - stayed;
    const double came = count - stayed;
    return Moved{count, sum / count, pixel_variance * (left + came) / (static_cast<double>(n) * count)};
  };
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 4> ways{{{1, 0}, {-1, 0}, {0, 1}, {0, -1}}};
  double change = 0;
  double possible = 0;  // at the frame's border a region can only lie further in
  for (const auto& [dy, dx] : ways) {
    const auto near = moved(dy * whole, dx * whole);
    const auto far = moved(dy * (whole + 1), dx * (whole + 1));
    if (near.count == 0 || far.count == 0) continue;
    possible += 1;
    const double difference = (1 - share) * near.mean + share * far.mean - mean;
    change += difference * difference - ((1 - share) * near.noise + share * far.noise);
  }
  if (possible == 0) throw placement_error(placement_px);
  return std::max(change / possible, 0.0);
}

void check_region(const CalibratedView& frame, ImageView<const std::uint8_t> region) {
  for (const auto& [view, name] : {std::pair{frame.mask, "mask"}, std::pair{region, "region"}}) {
    if (view.height == frame.data.height && view.width == frame.data.width) continue;
    throw Error(ErrorKind::input, std::string(name) + " is " + std::to_string(view.height) + " x " +
                                      std::to_string(view.width) + ", the frame " + std::to_string(frame.data.height) +
                                      " x " + std::to_string(frame.data.width));
  }
}

// 97.5 % point for T - r B: degrees of freedom by Welch and Satterthwaite, the spatial parts estimated, the rest known.
double t_of(const RegionStats& signal, const Background& background, double ratio) {
  const auto spatial = [](const UncertaintyBudget& u) {
    return u.sampling * u.sampling + u.heterogeneity * u.heterogeneity;
  };
  const double vt = spatial(signal.budget);
  const double vb = ratio * ratio * spatial(background.budget);
  const double total = signal.sem * signal.sem + ratio * ratio * background.sem * background.sem;
  const double uncertain = vt * vt / signal.dof + vb * vb / background.dof;
  return uncertain > 0 ? detail::student_975(total * total / uncertain) : z95;
}

// A region no larger than a patch of the tissue cannot show how patches differ. The background does: what its patches
// of the region's size scatter by, relative to its level, is taken over where the region itself shows less (an
// assumption of ours: light and perfusion multiply lesion and liver alike).
RegionStats in_uneven_tissue(RegionStats signal, const Background& background) {
  if (signal.n < 2 || !(background.level > 0)) return signal;
  const Patch patch = background.patch_of(static_cast<double>(signal.n));
  const double uneven = patch.sigma * signal.mean / background.level;
  if (!(uneven > signal.budget.heterogeneity)) return signal;
  signal.budget.heterogeneity = uneven;
  signal.sem = signal.budget.total();
  signal.dof = std::max(std::min(signal.dof, patch.patches - 1), 1.0);
  return signal;
}

Measurement with_interval(double value, double sigma, double t, Reason why) {
  return {value, sigma, value - t * sigma, value + t * sigma, why};
}

}  // namespace

RegionStats region_stats(const CalibratedView& frame, ImageView<const std::uint8_t> mask, double placement_px) {
  BackgroundWorkspace workspace;
  return region_stats(frame, mask, placement_px, workspace);
}

RegionStats region_stats(const CalibratedView& frame, ImageView<const std::uint8_t> mask, double placement_px,
                         BackgroundWorkspace& workspace) {
  check_region(frame, mask);
  const auto largest = static_cast<double>(std::max(frame.data.height, frame.data.width));
  if (!(placement_px >= 0 && placement_px <= largest)) throw placement_error(placement_px);
  const Region region(frame, mask);
  RegionStats s;
  double sum = 0;
  double noise = 0;
  AtZero at_zero;
  const bool noise_known = frame.variance.data != nullptr;
  for (std::size_t row = region.y0; row < region.y1; ++row) {
    region.row(row, 0, 0, no_signal_bits & ~mask_underflow, [&](std::size_t y, std::size_t x) {
      const std::uint8_t bits = frame.mask(y, x);
      if ((bits & mask_underflow) != 0) {
        ++at_zero.marked;
        return;
      }
      const float v = frame.data(y, x);
      sum += static_cast<double>(v);
      if (noise_known) noise += static_cast<double>(frame.variance(y, x));
      ++s.n;
      s.saturated += (bits & mask_saturated) != 0;
      at_zero.zeros += v == 0.0F;
      at_zero.negative += v < 0.0F;
    });
  }
  if (s.n == 0) return s;
  const auto n = static_cast<double>(s.n);
  s.mean = sum / n;
  if (s.n < 2) return s;
  double squares = 0;
  detail::Blocks& blocks = workspace.buffers().blocks;
  std::vector<double>& influences = workspace.buffers().influences;
  blocks.reset(region.y1 - region.y0, region.x1 - region.x0, 2);
  for (std::size_t row = region.y0; row < region.y1; ++row) {
    influences.assign(region.x1 - region.x0, nan);
    region.row(row, 0, 0, no_signal_bits, [&](std::size_t y, std::size_t x) {
      const double d = static_cast<double>(frame.data(y, x)) - s.mean;
      squares += d * d;
      influences[x - region.x0] = d;
    });
    blocks.add_row(influences.data());
  }
  s.sd = std::sqrt(squares / (n - 1));
  s.cut_off = at_zero.cut_off(s);
  const detail::Inflation found = blocks.correlation().worst;
  const double white = s.sd * s.sd / n;
  const double noise_variance = noise_known ? noise / n : nan;
  const double known = noise_known ? noise_variance / n : 0.0;
  const double rounding = rounding_error(s.sd, frame.step);
  UncertaintyBudget& u = s.budget;
  u.pixel_noise = noise_known || rounding > 0 ? std::sqrt(known + rounding * rounding) : nan;
  u.sampling = std::sqrt(std::max(white - known, 0.0));
  u.heterogeneity = std::sqrt(white * (found.factor - 1));
  if (placement_px > 0) {
    const double pixel_variance = local_variance(region, noise_variance);
    u.placement = std::sqrt(placement_variance(region, s.mean, s.n, pixel_variance, placement_px));
  }
  s.sem = u.total();
  s.dof = std::max(found.blocks - 1, 1.0);
  s.effective_pixels = n / found.factor;
  return s;
}

Measurement fieller_ratio(double a, double sa, double b, double sb, double t) {
  const double t2 = t * t;
  const double qa = b * b - t2 * sb * sb;
  if (!(qa > 0) || !(b > 0)) return {nan, nan, -infinity, infinity, Reason::background_not_resolved};
  const double qc = a * a - t2 * sa * sa;
  const double root = std::sqrt(std::max(a * a * b * b - qa * qc, 0.0));
  const double ratio = a / b;
  return {ratio, std::sqrt(sa * sa + ratio * ratio * sb * sb) / b, (a * b - root) / qa, (a * b + root) / qa,
          Reason::none};
}

Measurement signal_ratio(double level, double sem, const Background& background) {
  if (background.reason != Reason::none) return {nan, nan, -infinity, infinity, background.reason};
  return fieller_ratio(level, sem, background.level, background.sem);
}

Contrast contrast(const RegionStats& region, const Background& background, double offset, Reason carried) {
  // A background that is only part of the frame is said with every figure over it.
  const Reason why = carried == Reason::none && background.empty_field ? Reason::empty_field_left_out : carried;
  const RegionStats signal = in_uneven_tissue(region, background);
  const double t = signal.mean;
  const double b = background.level;
  const bool no_background = std::isnan(b);
  Contrast c;
  c.signal_budget = signal.budget;
  c.background_budget = background.budget;
  const auto level_of = [&](double level, double sem, double dof, const UncertaintyBudget& u) {
    const double spatial = u.sampling * u.sampling + u.heterogeneity * u.heterogeneity;
    const double share = sem > 0 ? spatial / (sem * sem) : 0.0;
    return with_interval(level, sem, share > 0 ? detail::student_975(dof / (share * share)) : z95, why);
  };
  c.signal_level = signal.n < 2 ? Measurement::undefined(Reason::too_few_pixels)
                                : level_of(t, signal.sem, signal.dof, signal.budget);
  c.background_level = no_background ? Measurement::undefined(background.reason)
                                     : level_of(b, background.sem, background.dof, background.budget);
  // Clipped counts leave a bound: the true signal is at least what was counted where they are saturated, at most that
  // where they are cut off at 0. Every figure rises with T.
  const auto bound_by_clipping = [&](std::initializer_list<Measurement*> figures) {
    for (Measurement* m : figures) {
      if (std::isnan(m->value)) continue;
      if (signal.cut_off) {
        m->lo = m == &c.michelson ? -1.0 : -infinity;
        m->reason = Reason::signal_cut_off;
      }
      if (signal.saturated > 0) {
        m->hi = m == &c.michelson ? 1.0 : infinity;
        m->reason = Reason::saturated_lower_bound;
      }
    }
  };
  if (signal.n < 2 || no_background) {
    const Reason missing = no_background ? background.reason : Reason::too_few_pixels;
    c.sbr = c.sbr_raw = c.weber = c.michelson = c.cnr = c.cvr = Measurement::undefined(missing);
    bound_by_clipping({&c.signal_level});
    return c;
  }
  const double st = signal.sem;
  const double sb = background.sem;
  const auto with_reason = [&](Measurement m) {
    if (m.reason == Reason::none) m.reason = why;
    return m;
  };
  const auto ratio_of = [&](double above, double below) -> Measurement {
    if (background.reason != Reason::none) return {nan, nan, -infinity, infinity, background.reason};
    return fieller_ratio(above, st, below, sb, t_of(signal, background, above / below));
  };
  const Measurement ratio = ratio_of(t, b);
  c.sbr = with_reason(ratio);
  c.sbr_raw = with_reason(
      background.reason == Reason::background_saturated
          ? ratio
          : fieller_ratio(t + offset, st, b + offset, sb, t_of(signal, background, (t + offset) / (b + offset))));
  // Weber = r - 1 and Michelson = (r - 1)/(r + 1) rise with the ratio r, so its bounds carry over.
  c.weber = c.sbr;
  c.weber.value -= 1;
  c.weber.lo -= 1;
  c.weber.hi -= 1;
  const auto michelson = [](double r) { return std::isfinite(r) ? (r - 1) / (r + 1) : (r > 0 ? 1.0 : -1.0); };
  if (ratio.reason != Reason::none || ratio.lo <= -1) {
    const Reason none = ratio.reason == Reason::none ? Reason::background_not_resolved : ratio.reason;
    c.michelson = {nan, nan, -1.0, 1.0, none};
  } else {
    c.michelson = {michelson(ratio.value), 2 * ratio.sigma / ((ratio.value + 1) * (ratio.value + 1)),
                   michelson(ratio.lo), michelson(ratio.hi), why};
  }
  const double difference = t - b;
  const double var_difference = st * st + sb * sb;
  const double t_difference = t_of(signal, background, 1);
  const auto over_spread = [&](double spread, double relative_var) {
    if (background.reason == Reason::background_saturated) return Measurement::undefined(background.reason);
    if (!(spread > 0)) return Measurement::undefined(Reason::background_not_resolved);
    const double value = difference / spread;
    const double sigma = std::sqrt(var_difference / (spread * spread) + value * value * relative_var);
    return with_interval(value, sigma, t_difference, why);
  };
  // A standard deviation from n independent values has a relative variance of 1/(2 (n - 1)).
  const double relative_b = background.sigma_error / background.sigma;
  const double rel_b = std::isnan(relative_b)
                           ? 1.0 / (2.0 * static_cast<double>(std::max<std::size_t>(background.n_pixels, 2) - 1))
                           : relative_b * relative_b;
  const double rel_t = 1.0 / (2.0 * std::max(signal.effective_pixels - 1, 1.0));
  const double vt = signal.sd * signal.sd;
  const double vb = background.sigma * background.sigma;
  c.cnr = over_spread(background.sigma, rel_b);
  c.cvr = over_spread(std::sqrt(vt + vb), (vt * vt * rel_t + vb * vb * rel_b) / ((vt + vb) * (vt + vb)));

  bound_by_clipping({&c.sbr, &c.sbr_raw, &c.weber, &c.michelson, &c.cnr, &c.cvr, &c.signal_level});
  if (background.reason != Reason::none) {
    for (Measurement* m : {&c.sbr_raw, &c.cnr, &c.cvr, &c.background_level}) m->reason = background.reason;
  }
  return c;
}

}  // namespace pyicg
