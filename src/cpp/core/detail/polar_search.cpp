#include "polar_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "../../kernels/path_rows.hpp"
#include "pyicg/measurement.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

constexpr std::size_t rays = 128;      // a multiple of four: a frame turned by 90 degrees has the same rays
constexpr double edge_share = 0.2;     // of the full step: less than this along a path is no edge
constexpr double prior = 0.1;          // pull towards the candidate's radius where nothing else speaks
constexpr double slope_cost = 0.2;     // per arc length that the radius changes by from ray to ray
constexpr double most_crossing = 1.5;  // px of liver that the outer path pays for: in a gap it crosses more
constexpr double grain_px = 5;         // texture is alike over about this length
constexpr double most_grain = 0.35;    // of the rim's step, see is_grainy
constexpr double second_difference = std::numbers::sqrt3;  // of independent values, over their first difference
constexpr int area_rounds = 6;

double quantile_of(std::vector<float>& values, double q) { return values.empty() ? nan : quantile(values, q); }

// The slope over a reach of about the blur; 0 where it is not known.
void find_slopes(const PolarImage& polar, std::size_t reach, std::vector<double>& slopes) {
  slopes.resize(polar.values.size());
  for (std::size_t k = 0; k < polar.rays; ++k) {
    kernels::path_kernels().slopes(polar.ray(k), polar.rows, reach, slopes.data() + k * polar.rows);
  }
}

// Paths along the steepest rise and, outside it, the steepest fall.
void search_edges(std::size_t reach, double radius_px, double outside, const PathRule& rule, const PolarSearch& found,
                  PolarBuffers& buffers, std::vector<std::size_t>& inner, std::vector<std::size_t>& outer) {
  const PolarImage& polar = buffers.polar;
  const std::size_t rows = polar.rows;
  const double step = polar.step;
  const double height = found.rim - found.core;
  buffers.rewards.resize(rays * rows);
  std::vector<double>& pull = buffers.per_row;
  pull.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const double off = (step * static_cast<double>(i) - radius_px) / radius_px;
    pull[i] = prior * off * off;
  }
  const kernels::EdgeStep rise{found.core, height, 1, step, infinity};
  for (std::size_t k = 0; k < rays; ++k) {
    double* reward = buffers.rewards.data() + k * rows;
    kernels::path_kernels().rewards(polar.ray(k), buffers.slopes.data() + k * rows, pull.data(), rows, rise, reward);
    for (std::size_t i = 0; i < std::min<std::size_t>(2, rows); ++i) reward[i] = -2;
  }
  inner = closed_path(buffers.rewards, rows, rule, buffers.paths);

  for (std::size_t i = 0; i < rows; ++i) {
    const double thick = step * static_cast<double>(i) / radius_px;
    pull[i] = 0.2 * prior * thick * thick;
  }
  const double fall = found.rim - std::min(outside, found.rim - 0.3 * height);
  const kernels::EdgeStep drop{found.rim - fall, fall, -1, step, most_crossing};
  for (std::size_t k = 0; k < rays; ++k) {
    const std::size_t first = std::min(inner[k] + 2 * reach, rows);
    const std::size_t at = k * rows + first;
    std::fill_n(buffers.rewards.data() + k * rows, first, -4.0);
    kernels::path_kernels().rewards(polar.values.data() + at, buffers.slopes.data() + at,
                                    pull.data() + (first - inner[k]), rows - first, drop, buffers.rewards.data() + at);
  }
  outer = closed_path(buffers.rewards, rows, rule, buffers.paths);
}

// Whether texture is strong beside the rim's step. Means over a grain's length along each ray, noise of single pixels
// mostly gone, are compared with those of the two neighbouring rays: boundaries that slant across the rays cancel.
bool is_grainy(const PolarImage& polar, double radius_px, double core) {
  const auto grain = static_cast<std::size_t>(std::max(1.0, std::round(grain_px / polar.step)));
  const auto first = static_cast<std::size_t>(radius_px / polar.step);
  const auto last = std::min(static_cast<std::size_t>(1.3 * radius_px / polar.step) + grain, polar.rows);
  double differences = 0;
  double levels = 0;
  double count = 0;
  for (std::size_t i = first; i + grain <= last; i += grain) {
    std::array<double, rays> mean{};
    for (std::size_t k = 0; k < rays; ++k) {
      double sum = 0;
      for (std::size_t j = i; j < i + grain; ++j) sum += polar(k, j);
      mean.at(k) = sum / static_cast<double>(grain);
    }
    for (std::size_t k = 0; k < rays; ++k) {
      const double here = mean.at((k + 1) % rays);
      const double d = std::fabs(mean.at(k) - 2 * here + mean.at((k + 2) % rays)) / second_difference;
      if (std::isnan(d)) continue;
      differences += d;
      levels += here - core;
      ++count;
    }
  }
  return differences > most_grain * levels && count > 0;
}

// Sums from the centre outwards of r (value - level)^2, in units of what one grain of a step's height adds: the misfit
// of everything within a radius to one level.
void misfit(const PolarImage& polar, double level, double height, std::vector<double>& sums) {
  sums.resize(polar.values.size());
  const double unit = 2 * std::numbers::pi * polar.step * polar.step /
                      (static_cast<double>(rays) * height * height * grain_px * grain_px);
  for (std::size_t k = 0; k < rays; ++k) {
    const double* value = polar.ray(k);
    double* out = sums.data() + k * polar.rows;
    for (std::size_t i = 0; i < polar.rows; ++i) {
      const double d = value[i] - level;
      const double one = static_cast<double>(i) * d * d * unit;
      out[i] = d == d ? one : 0.0;
    }
    for (std::size_t i = 1; i < polar.rows; ++i) out[i] += out[i - 1];
  }
}

using Rows = std::array<std::size_t, rays>;

double mean_between(const PolarImage& polar, std::span<const std::size_t> from, std::span<const std::size_t> to) {
  double sum = 0;
  double weight = 0;
  for (std::size_t k = 0; k < rays; ++k) {
    for (std::size_t i = from[k]; i < to[k]; ++i) {
      if (std::isnan(polar(k, i))) continue;
      sum += static_cast<double>(i) * polar(k, i);
      weight += static_cast<double>(i);
    }
  }
  return weight > 0 ? sum / weight : nan;
}

// Paths that part core, rim and surroundings so that each is as uniform as can be: where texture hides the edges of
// single rays, areas still tell.
void search_areas(const PolarImage& polar, double radius_px, const PathRule& rule, PolarSearch& found,
                  PolarBuffers& buffers, std::vector<std::size_t>& inner, std::vector<std::size_t>& outer) {
  const std::size_t rows = polar.rows;
  const auto row_of = [&](double r) { return std::min(static_cast<std::size_t>(r / polar.step), rows - 1); };
  inner.assign(rays, row_of(radius_px));
  outer.assign(rays, row_of(1.6 * radius_px));
  Rows none{};
  Rows last{};
  last.fill(row_of(polar.step * static_cast<double>(rows)));
  buffers.rewards.resize(rays * rows);
  for (int round = 0; round < area_rounds; ++round) {
    const double core = mean_between(polar, none, inner);
    const double rim = mean_between(polar, inner, outer);
    const double outside = mean_between(polar, outer, last);
    if (!(rim > core)) break;
    found.core = core;
    found.rim = rim;
    misfit(polar, core, rim - core, buffers.to_core);
    misfit(polar, rim, rim - core, buffers.to_rim);
    misfit(polar, std::isnan(outside) ? std::min(core, rim) : outside, rim - core, buffers.to_outside);
    for (std::size_t k = 0; k < rays; ++k) {
      for (std::size_t i = 0; i < rows; ++i) {
        const std::size_t at = k * rows + i;
        const double gain = buffers.to_rim[at] - buffers.to_core[at];
        buffers.rewards[at] = i < 2 || i >= outer[k] ? -1e6 : gain;
      }
    }
    inner = closed_path(buffers.rewards, rows, rule, buffers.paths);
    for (std::size_t k = 0; k < rays; ++k) {
      for (std::size_t i = 0; i < rows; ++i) {
        const std::size_t at = k * rows + i;
        const double gain = buffers.to_outside[at] - buffers.to_rim[at];
        buffers.rewards[at] = i <= inner[k] ? -1e6 : gain;
      }
    }
    outer = closed_path(buffers.rewards, rows, rule, buffers.paths);
  }
}

// Sigma of a blurred step that rises by this share of its height from d before its middle to d behind it.
double edge_width(double share, double d) {
  double low = 0.1 * d;
  double high = 10 * d;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (std::erf(d / (middle * std::numbers::sqrt2)) > share ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace

bool search_polar(const GreyCrop& image, double radius_px, double outside, PolarBuffers& buffers, PolarSearch& found) {
  const double step = std::max(0.5, radius_px / 50);
  const PolarImage& polar = buffers.polar;
  unroll(image, rays, 2.5 * radius_px + 45, step, buffers.polar);
  const std::size_t rows = polar.rows;
  const auto row_of = [&](double r) { return std::min(static_cast<std::size_t>(r / step), rows - 1); };

  std::vector<float>& values = buffers.values;
  values.clear();
  for (std::size_t k = 0; k < rays; ++k) {
    for (std::size_t i = 0; i <= row_of(0.5 * radius_px); ++i) {
      if (!std::isnan(polar(k, i))) values.push_back(static_cast<float>(polar(k, i)));
    }
  }
  found.core = quantile_of(values, 0.5);
  values.clear();
  const auto width = static_cast<std::size_t>(std::max(1.0, std::round(radius_px / 20 / step)));
  std::vector<double>& part = buffers.per_row;  // of a mean
  part.resize(rows);
  for (std::size_t k = 0; k < rays; ++k) {
    std::transform(polar.ray(k), polar.ray(k) + rows, part.begin(),
                   [&](double v) { return v / static_cast<double>(width); });
    double most = -infinity;
    for (std::size_t i = row_of(0.5 * radius_px); i <= row_of(1.8 * radius_px + 2); ++i) {
      double mean = 0;
      for (std::size_t j = i; j < i + width; ++j) mean += j < rows ? part[j] : nan;
      if (mean > most) most = mean;
    }
    if (std::isfinite(most)) values.push_back(static_cast<float>(most));
  }
  found.rim = quantile_of(values, 0.75);
  const double height = found.rim - found.core;
  if (!(height > 0) || !std::isfinite(height)) return false;

  const auto reach = static_cast<std::size_t>(std::max(1.0, std::round(1.5 / step)));
  find_slopes(polar, reach, buffers.slopes);
  const double arc = 2 * std::numbers::pi * radius_px / static_cast<double>(rays);
  const PathRule rule{static_cast<std::size_t>(std::max(1.0, std::ceil(2 * arc / step))), slope_cost * step / arc};
  std::vector<std::size_t>& inner = buffers.inner;
  std::vector<std::size_t>& outer = buffers.outer;
  found.grainy = is_grainy(polar, radius_px, found.core);
  if (found.grainy) {
    search_areas(polar, radius_px, rule, found, buffers, inner, outer);
  } else {
    search_edges(reach, radius_px, outside, rule, found, buffers, inner, outer);
  }

  values.clear();
  for (std::size_t k = 0; k < rays; ++k) {
    const double share = buffers.slopes[k * rows + inner[k]] / (found.rim - found.core);
    if (share > edge_share) values.push_back(static_cast<float>(share));
  }
  if (values.empty()) return false;
  found.blur_px = edge_width(quantile_of(values, 0.5), static_cast<double>(reach) * step);
  const RimLevels levels{found.core, found.rim, outside, found.blur_px};
  found.radii.gaps = leave_gaps_open(polar, levels, rule, inner, outer, buffers.gaps);
  found.radii.inner.clear();
  found.radii.outer.clear();
  for (std::size_t k = 0; k < rays; ++k) {
    found.radii.inner.push_back(step * static_cast<double>(inner[k]));
    found.radii.outer.push_back(step * static_cast<double>(std::max(outer[k], inner[k] + 1)));
  }
  return true;
}

}  // namespace pyicg::detail
