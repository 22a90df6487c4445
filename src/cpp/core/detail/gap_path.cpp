#include "gap_path.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

#include "fixed_list.hpp"
#include "polar.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

constexpr double dark_core = 0.8;      // of the liver: over it, its edge drowns in noise
constexpr double least_strip_px = 4;   // of liver before the path
constexpr double own_tail = 0.1;       // of a strip's light: more may be the rim's own blurred edge
constexpr std::size_t least_rays = 4;  // of a strip
constexpr double most_share = 0.6;     // of the rays: no rim is left to go by
constexpr double hold = 4;             // per pixel off the path where it follows a rim
constexpr std::size_t leaving = 3;     // rays beside a gap on which the path may be leaving the rim
constexpr std::size_t alike = 2;       // rays on either side that are averaged
constexpr std::size_t bend_rays = 4;   // over which a contour's bends are judged
constexpr double most_cut = 0.33;      // of the radius: further in is another edge
constexpr double light_blurs = 2.5;    // behind the path: a thin rim's light
constexpr double thin_rim = 0.1;       // of the rim's step over liver: light of a rim too thin to see
constexpr double glow = 0.25;          // of the rim's step over liver: more is another thing
constexpr double glow_blurs = 1.5;     // that its light reaches

using Path = FixedList<std::size_t, most_rays>;
using RaySet = FixedList<bool, most_rays>;

// Neighbouring rays.
struct Run {
  std::size_t first, length;
};
using Runs = FixedList<Run, most_rays / 2 + 1>;

// Of at least `least` rays, one or more.
Runs runs_of(const RaySet& set, std::size_t least) {
  const std::size_t n = set.size();
  Runs runs;
  const auto start = static_cast<std::size_t>(std::ranges::find(set, false) - set.begin());
  for (std::size_t d = 0; d < n; ++d) {
    const std::size_t first = d;
    while (d < n && set[(start + d) % n]) ++d;
    if (d - first >= least) runs.push_back({(start + first) % n, d - first});
  }
  return runs;
}

Path path_of(std::span<const std::size_t> rows) {
  Path path;
  for (const std::size_t row : rows) path.push_back(row);
  return path;
}

void mark(RaySet& set, const Run& run, bool value) {
  for (std::size_t d = 0; d < run.length; ++d) set[(run.first + d) % set.size()] = value;
}

void average(const PolarImage& polar, PolarImage& mean) {
  mean.rays = polar.rays;
  mean.rows = polar.rows;
  mean.step = polar.step;
  mean.values.resize(polar.values.size());
  for (std::size_t k = 0; k < polar.rays; ++k) {
    double* out = mean.values.data() + k * polar.rows;
    std::copy_n(polar.ray(k), polar.rows, out);
    for (std::size_t d = 1; d <= alike; ++d) {
      const double* before = polar.ray((k + polar.rays - d) % polar.rays);
      const double* after = polar.ray((k + d) % polar.rays);
      for (std::size_t i = 0; i < polar.rows; ++i) out[i] += before[i] + after[i];
    }
    for (std::size_t i = 0; i < polar.rows; ++i) out[i] /= static_cast<double>(2 * alike + 1);
  }
}

// Sums along a ray of what lies over the middle between core and liver, px: least where a step from core to liver
// explains the profile best. Values are held within that step, so that a fleck counts no more than liver.
void over_middle(const PolarImage& polar, const RimLevels& levels, std::size_t k, std::vector<double>& sums) {
  const double middle = 0.5 * (levels.core + levels.outside);
  const double half = levels.outside - middle;
  sums.resize(polar.rows);
  double sum = 0;
  for (std::size_t i = 0; i < polar.rows; ++i) {
    sums[i] = sum;
    const double over = (polar(k, i) - middle) / half;
    if (!std::isnan(over)) sum += polar.step * std::clamp(over, -1.0, 1.0);
  }
}

// Where the path lies behind a strip of liver that is no part of the rim's own blurred edge.
Runs behind_liver(const PolarImage& polar, const RimLevels& levels, const Path& inner, std::vector<double>& sums) {
  const std::size_t n = polar.rays;
  RaySet behind(n);
  for (std::size_t k = 0; k < n; ++k) {
    over_middle(polar, levels, k, sums);
    const auto end = sums.begin() + static_cast<std::ptrdiff_t>(inner[k]) + 1;
    const auto edge = static_cast<std::size_t>(std::min_element(sums.begin(), end) - sums.begin());
    const double strip = polar.step * static_cast<double>(inner[k] - edge);
    const double tail = (levels.rim - levels.core) * 0.5 * std::erfc(strip / (levels.blur_px * std::numbers::sqrt2));
    const bool in_view = !std::isnan(polar(k, inner[k]));
    behind[k] = in_view && strip >= least_strip_px && tail < own_tail * 0.5 * (levels.outside - levels.core);
  }
  return runs_of(behind, least_rays);
}

// Length of the path from ray to ray.
double arc_px(const PolarImage& polar, const Path& path) {
  const auto n = static_cast<double>(path.size());
  return 2 * std::numbers::pi * polar.step * std::accumulate(path.begin(), path.end(), 0.0) / (n * n);
}

// Where what lies behind the path, over the width of a rim, is all in view and liver on average. What is as dark as the
// core is no liver (a dark vessel, of which a part was taken for a core). A rim that only grows thin is no gap: its
// light stands over liver's from end to end, and further than the light of a gap's ends reaches.
RaySet without_rim(const PolarImage& mean, const RimLevels& levels, double liver, const Path& inner,
                   std::size_t width) {
  const auto behind = [&](std::size_t k, std::size_t rows) {
    double sum = 0;
    for (std::size_t i = inner[k]; i < inner[k] + rows; ++i) sum += i < mean.rows ? mean(k, i) : nan;
    return sum / static_cast<double>(rows);
  };
  RaySet gap(mean.rays);
  const double middle = 0.5 * (levels.core + levels.outside);
  for (std::size_t k = 0; k < mean.rays; ++k) {
    const double level = behind(k, width);
    gap[k] = level > middle && level < liver;
  }
  const auto light = static_cast<std::size_t>(std::max(1L, std::lround(light_blurs * levels.blur_px / mean.step)));
  const double reach = std::ceil(2 * levels.blur_px / arc_px(mean, inner));
  const auto ends = static_cast<std::size_t>(std::min(reach, static_cast<double>(mean.rays)));
  for (const Run& run : runs_of(gap, 2 * ends + 1)) {
    double over = 0;
    for (std::size_t d = ends; d < run.length - ends; ++d) over += behind((run.first + d) % mean.rays, light);
    over = over / static_cast<double>(run.length - 2 * ends) - levels.outside;
    if (over > thin_rim * (levels.rim - levels.outside)) mark(gap, run, false);
  }
  return gap;
}

// The rays that are set, and those beside them.
RaySet widened(const RaySet& set, std::size_t by) {
  const std::size_t n = set.size();
  RaySet out(n);
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t d = 0; d <= 2 * by; ++d) out[k] = out[k] || set[(k + n - by + d) % n];
  }
  return out;
}

// The path as it was, but in the gaps, where it parts core and liver.
Path through_gaps(const PolarImage& mean, const RimLevels& levels, const PathRule& rule, const Path& inner,
                  const RaySet& gap, GapBuffers& buffers) {
  const RaySet free = widened(gap, leaving);
  buffers.rewards.resize(mean.values.size());
  for (std::size_t k = 0; k < mean.rays; ++k) {
    double* rewards = buffers.rewards.data() + k * mean.rows;
    if (free[k]) {
      over_middle(mean, levels, k, buffers.sums);
      for (std::size_t i = 0; i < mean.rows; ++i) rewards[i] = -buffers.sums[i] - (i < 2 ? hold : 0);
    } else {
      const auto row = static_cast<double>(inner[k]);
      for (std::size_t i = 0; i < mean.rows; ++i) {
        rewards[i] = -hold * (mean.step * std::fabs(static_cast<double>(i) - row));
      }
    }
  }
  return path_of(closed_path(buffers.rewards, mean.rows, rule, buffers.paths));
}

double bends(const Path& path, const Run& run) {
  const std::size_t n = path.size();
  const auto row = [&](std::size_t k) { return static_cast<double>(path[k % n]); };
  double sum = 0;
  for (std::size_t d = 0; d < run.length + 4 * bend_rays; ++d) {
    const std::size_t k = run.first + n - 2 * bend_rays + d;
    sum += std::fabs(row(k - bend_rays) - 2 * row(k) + row(k + bend_rays));
  }
  return sum;
}

// The path as it was, but in the gaps nowhere further in than at both of their ends.
Path undipped(const Path& inner, const RaySet& gap) {
  const std::size_t n = inner.size();
  Path path = inner;
  for (const Run& run : runs_of(widened(gap, leaving), 1)) {
    const std::size_t least = std::min(inner[(run.first + n - 1) % n], inner[(run.first + run.length) % n]);
    for (std::size_t d = 0; d < run.length; ++d) {
      std::size_t& row = path[(run.first + d) % n];
      row = std::max(row, least);
    }
  }
  return path;
}

// How far one path lies inside another, as a share of its radius.
double most_inside(const Path& path, const Path& other, const Run& run) {
  double most = 0;
  for (std::size_t d = 0; d < run.length; ++d) {
    const std::size_t k = (run.first + d) % path.size();
    most = std::max(most, 1 - static_cast<double>(path[k]) / static_cast<double>(other[k]));
  }
  return most;
}

std::size_t median_width(std::span<const std::size_t> inner, std::span<const std::size_t> outer) {
  Path widths(inner.size());
  for (std::size_t k = 0; k < inner.size(); ++k) widths[k] = std::max(outer[k], inner[k] + 1) - inner[k];
  auto* const middle = widths.begin() + widths.size() / 2;
  std::nth_element(widths.begin(), middle, widths.end());
  return *middle;
}

struct Doubts {
  RaySet missing;  // rays without a rim
  Runs past;       // rays on which the path lies behind liver
};

RaySet rays_of(const Doubts& doubts) {
  RaySet rays = doubts.missing;
  for (const Run& run : doubts.past) mark(rays, run, true);
  return rays;
}

// Whether anything of what seemed to be a gap is a part of the core that glows like liver, which has an edge too:
// beside a rim that edge bends off to either side; in a gap it lies far inside of where the rim's ends point.
bool drop_glowing_core(Doubts& doubts, const Path& path, const Path& inner) {
  const std::size_t n = path.size();
  const Path line = undipped(inner, doubts.missing);
  const RaySet beside_past = widened(rays_of({RaySet(n), doubts.past}), 1);
  const auto last =
      std::ranges::remove_if(doubts.past, [&](const Run& run) { return bends(path, run) >= bends(line, run); });
  bool dropped = !last.empty();
  doubts.past.shrink(doubts.past.size() - last.size());
  for (const Run& run : runs_of(doubts.missing, 1)) {
    bool alone = true;
    for (std::size_t d = 0; d < run.length; ++d) alone = alone && !beside_past[(run.first + d) % n];
    if (!alone || most_inside(path, line, run) <= most_cut) continue;
    mark(doubts.missing, run, false);
    dropped = true;
  }
  return dropped;
}

// How far the fit may read on each ray, see Gaps. Where a gap ends, within a blur's width on either side, the rim's end
// shines in: no straight edge is blurred there.
void find_bare_liver(const PolarImage& mean, double blur_px, const Path& path, const RaySet& gap, Gaps& found) {
  const auto ends = static_cast<std::size_t>(std::clamp(std::lround(blur_px / arc_px(mean, path)), 1L, 8L));
  RaySet rim = gap;
  for (bool& ray : rim) ray = !ray;
  const RaySet near_gap = widened(gap, ends);
  const RaySet near_rim = widened(rim, ends);
  for (std::size_t k = 0; k < mean.rays; ++k) {
    if (!near_gap[k]) continue;
    found.bare_px[k] = 0;
    if (near_rim[k]) continue;
    std::size_t i = path[k];
    while (i < mean.rows && !(mean(k, i) > found.most_liver)) ++i;
    found.bare_px[k] = mean.step * static_cast<double>(i) - glow_blurs * blur_px;
  }
}

}  // namespace

const Gaps& leave_gaps_open(const PolarImage& polar, const RimLevels& levels, const PathRule& rule,
                            std::vector<std::size_t>& inner, std::vector<std::size_t>& outer, GapBuffers& buffers) {
  const std::size_t n = polar.rays;
  Gaps& found = buffers.found;
  found.bare_px.assign(n, infinity);
  found.most_liver = levels.outside + glow * (levels.rim - levels.outside);
  if (!(levels.core < dark_core * levels.outside)) return found;
  average(polar, buffers.mean);
  const PolarImage& mean = buffers.mean;
  const Path given = path_of(inner);
  const std::size_t width = median_width(inner, outer);
  Doubts doubts{without_rim(mean, levels, found.most_liver, given, width),
                behind_liver(mean, levels, given, buffers.sums)};
  RaySet gap;
  Path path;
  do {
    gap = rays_of(doubts);
    const auto gaps = static_cast<double>(std::ranges::count(gap, true));
    if (gaps == 0 || gaps > most_share * static_cast<double>(n)) return found;
    path = through_gaps(mean, levels, rule, given, gap, buffers);
  } while (drop_glowing_core(doubts, path, given));

  for (std::size_t k = 0; k < n; ++k) {
    if (gap[k]) outer[k] = path[k] + width;
  }
  find_bare_liver(mean, levels.blur_px, path, gap, found);
  std::ranges::copy(path, inner.begin());
  return found;
}

}  // namespace pyicg::detail
