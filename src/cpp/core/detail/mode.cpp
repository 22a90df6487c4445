#include "mode.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "../../kernels/mode_bins.hpp"

namespace pyicg::detail {

namespace {

constexpr std::size_t bins = kernels::mode_bins;
constexpr std::size_t all_bins = bins + kernels::beside_bins;

}  // namespace

Densest densest_interval(std::span<const float> values, std::vector<std::int32_t>& scratch) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  double lo = static_cast<double>(*least);
  double hi = static_cast<double>(*most);
  const std::size_t wanted = (values.size() + 3) / 4;
  Densest found{0.5 * (lo + hi), hi - lo};
  scratch.resize(values.size());
  std::array<std::size_t, all_bins> count{};
  for (int zoom = 0; zoom < 6 && hi > lo; ++zoom) {
    count.fill(0);
    const double per_bin = (hi - lo) / bins;
    kernels::mode_kernels().bins(values.data(), values.size(), {lo, per_bin, 0, 1}, scratch.data());
    for (const std::int32_t bin : scratch) ++count[static_cast<std::size_t>(bin)];
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

// For a normal distribution, with r = sigma/h the peak's width over the weights', the weighted variance is
// 1/(1/sigma^2 + 1/h^2), the mean weight 1/sqrt(1 + r^2), and the fixed point has variance
// sigma^2/n (1 + r^2)^3/(1 + 2 r^2)^1.5 (an M-estimator with psi = d exp(-d^2/2h^2)). Weights without an edge: a window
// with one holds now more, now fewer whole grey levels and settles where it should not.
Mode find_mode(std::span<const float> values, const Densest& start, double step, std::vector<std::int32_t>& scratch) {
  const double unit = std::max(start.width, step);

  // Within 8 widths, binned once: sums per bin, so that nothing is lost to the bins' own width.
  std::array<double, all_bins> count{};
  std::array<double, all_bins> distance{};  // of a bin's mean from the centre
  scratch.assign(values.size(), 0);
  if (unit > 0) {
    kernels::mode_kernels().bins(values.data(), values.size(), {start.centre, unit, 8, bins / 16.0}, scratch.data());
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double d = static_cast<double>(values[i]) - start.centre;
    if (!(std::fabs(d) <= 8 * unit)) continue;
    const auto bin = static_cast<std::size_t>(scratch[i]);
    count[bin] += 1;
    distance[bin] += d;
  }
  std::size_t filled = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    if (count[bin] == 0) continue;
    distance[filled] = distance[bin] / count[bin];
    count[filled++] = count[bin];
  }
  Mode mode;
  double level = 0;  // from the centre
  double sigma = unit;
  double r = 1;
  std::array<double, bins> weights;
  mode.held = std::accumulate(count.begin(), count.begin() + static_cast<std::ptrdiff_t>(filled), 0.0);
  for (int iteration = 0; iteration < 60 && std::max(sigma, step) > 0; ++iteration) {
    const double h = std::max(sigma, step);
    double sum_w = 0;
    double sum_d = 0;
    double sum_sq = 0;
    double close = 0;
    kernels::mode_kernels().weigh(distance.data(), filled, level, h, weights.data());
    for (std::size_t bin = 0; bin < filled; ++bin) {
      const double d = distance[bin] - level;
      const double w = count[bin] * weights[bin];
      if (weights[bin] > 0.5) close += count[bin];
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
    mode.held = variance > 0 ? sum_w * std::sqrt(1 + r * r) : close;  // without scatter every close value counts whole
    mode.weights_sigma = h;
    const bool settled = std::fabs(shift) <= 1e-4 * h && std::fabs(next - sigma) <= 1e-4 * h;
    level += shift;
    sigma = next;
    if (settled) break;
  }
  mode.level = start.centre + level;
  mode.sigma = sigma;
  mode.held = std::clamp(mode.held, 1.0, static_cast<double>(values.size()));
  mode.efficiency = std::pow(1 + r * r, 3) / std::pow(1 + 2 * r * r, 1.5);
  return mode;
}

void weigh(const Mode& mode, std::span<const float> values, std::vector<double>& weights) {
  weights.assign(values.begin(), values.end());
  if (mode.weights_sigma > 0) {
    kernels::mode_kernels().weigh(weights.data(), weights.size(), mode.level, mode.weights_sigma, weights.data());
  } else {
    std::fill(weights.begin(), weights.end(), 1.0);
  }
}

}  // namespace pyicg::detail
