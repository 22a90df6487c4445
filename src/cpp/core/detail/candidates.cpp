#include "candidates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "bright.hpp"

namespace pyicg::detail {
namespace {

// Otsu's threshold (IEEE Trans. Syst. Man Cybern. 9 (1979) 62) on 256 bins: the cut that best separates two levels.
double otsu(std::span<const float> values) {
  constexpr std::size_t bins = 256;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double lo = static_cast<double>(*least);
  const double span = static_cast<double>(*most) - lo;
  if (!(span > 0) || std::isinf(span)) return lo;
  std::array<double, bins> count{};
  double total = 0;
  for (const float v : values) {
    const auto bin = std::min(static_cast<std::size_t>((static_cast<double>(v) - lo) / span * bins), bins - 1);
    count.at(bin) += 1;
    total += static_cast<double>(bin);
  }
  const auto n = static_cast<double>(values.size());
  double below = 0;
  double sum_below = 0;
  double best = -1;
  std::size_t cut = 0;
  for (std::size_t i = 0; i + 1 < bins; ++i) {
    below += count[i];
    sum_below += count[i] * static_cast<double>(i);
    if (below == 0 || below == n) continue;
    const double apart = sum_below / below - (total - sum_below) / (n - below);
    const double between = below * (n - below) * apart * apart;
    if (between > best) {
      best = between;
      cut = i;
    }
  }
  return lo + span * static_cast<double>(cut + 1) / bins;
}

struct Core {
  Component hole;
  std::size_t owner;  // index of the bright component around it
};

// The holes of ws.bright at least min_area large.
std::vector<Core> enclosed_cores(ImageView<const std::uint8_t> bright, double min_area,
                                 ImageView<const std::int32_t> components, RimWorkspace& ws) {
  const auto labels = plane(ws.holes, bright.height, bright.width);
  std::vector<Core> cores;
  const auto dark = label_components(bright, 0, Connectivity::four, labels);
  for (std::size_t k = 0; k < dark.size(); ++k) {
    const Component& c = dark[k];
    if (c.touches_border || static_cast<double>(c.area) < min_area) continue;
    // The pixel above a hole's first pixel belongs to the component around it.
    std::size_t x = c.x0;
    while (!std::cmp_equal(labels(c.y0, x), k + 1)) ++x;
    cores.push_back({c, static_cast<std::size_t>(components(c.y0 - 1, x) - 1)});
  }
  return cores;
}

}  // namespace

Rejected rejected(Reason why, const Component& c) {
  return {why, c.centroid_y(), c.centroid_x(), static_cast<double>(c.area), c.y0, c.x0, c.y1, c.x1};
}

std::vector<Candidate> find_candidates(ImageView<const float> smooth, double level, double min_area_px,
                                       std::vector<Rejected>& rejections, RimWorkspace& ws) {
  const std::size_t height = smooth.height;
  const std::size_t width = smooth.width;
  const auto bright = plane(ws.bright, height, width);
  const auto components = plane(ws.components, height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) bright(y, x) = static_cast<double>(smooth(y, x)) > level ? 1 : 0;
  }
  const auto regions = label_components(bright, 1, Connectivity::eight, components);
  std::vector<bool> has_hole(regions.size(), false);
  std::vector<Candidate> found;
  for (const Core& core : enclosed_cores(bright, min_area_px, components, ws)) {
    has_hole[core.owner] = true;
    found.push_back({core.hole, level});
  }

  std::vector<double> own_level(regions.size(), infinity);
  std::vector<float> values;
  for (std::size_t k = 0; k < regions.size(); ++k) {
    const Component& c = regions[k];
    if (has_hole[k]) continue;
    if (static_cast<double>(c.area) < min_area_px) {
      rejections.push_back(rejected(Reason::below_min_area, c));
      continue;
    }
    values.clear();
    for (std::size_t y = c.y0; y <= c.y1; ++y) {
      for (std::size_t x = c.x0; x <= c.x1; ++x) {
        if (std::cmp_equal(components(y, x), k + 1)) values.push_back(smooth(y, x));
      }
    }
    own_level[k] = otsu(values);
  }
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::int32_t k = components(y, x);
      bright(y, x) = k > 0 && static_cast<double>(smooth(y, x)) > own_level[static_cast<std::size_t>(k - 1)] ? 1 : 0;
    }
  }
  std::vector<bool> has_own_hole(regions.size(), false);
  for (const Core& core : enclosed_cores(bright, min_area_px, components, ws)) {
    has_own_hole[core.owner] = true;
    found.push_back({core.hole, own_level[core.owner]});
  }
  for (std::size_t k = 0; k < regions.size(); ++k) {
    if (has_hole[k] || has_own_hole[k] || std::isinf(own_level[k])) continue;
    const Component& c = regions[k];
    rejections.push_back(rejected(Reason::no_enclosed_core, c));
  }
  return found;
}

}  // namespace pyicg::detail
