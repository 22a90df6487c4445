#include "odd_lesion.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "bright.hpp"
#include "odd_shape.hpp"
#include "select.hpp"
#include "traced_lesion.hpp"

namespace pyicg::detail {
namespace {

constexpr double most_seen = 0.87;      // of a core that is not star-shaped: what straight rays reach
constexpr double most_odd = 4;          // outer over inner area of a lesion that is not star-shaped
constexpr double most_bright = 0.02;    // of such a core: more is another rim in it
constexpr double odd_confidence = 0.5;  // at most: no model of a rim stands behind it

// Fills the maps where no lesion is yet, and reads what was filled.
const PixelStats& paint(const Frame& f, double cut, double smooth_px, std::int32_t label, RimWorkspace& ws) {
  PixelStats& pixels = ws.search->pixels;
  pixels.clear();
  OddBuffers& odd = ws.search->odd;
  const OddShape& shape = odd.shape;
  NearestVertex& inner = odd.inner;
  NearestVertex& outer = odd.outer;
  inner.search(shape.inner);
  outer.search(shape.outer);
  const auto visit_inside_of = [&](const std::vector<Vertex>& contour, const auto& visit) {
    visit_inside(contour, f.data.height, f.data.width, odd.rows, visit);
  };
  visit_inside_of(shape.outer, [&](std::size_t py, std::size_t px) {
    const std::size_t i = py * f.data.width + px;
    if (ws.labels[i] != 0) return;
    ws.labels[i] = label;
    ws.rim_mask[i] = 1;
  });
  visit_inside_of(shape.inner, [&](std::size_t py, std::size_t px) {
    const std::size_t i = py * f.data.width + px;
    if (ws.labels[i] != label) return;
    ws.rim_mask[i] = 0;
    ws.core_mask[i] = 1;
    if (left_out(f, py, px)) return;
    if (inner.any_within(2 * smooth_px, static_cast<double>(py), static_cast<double>(px))) return;
    pixels.core.push_back(f.data(py, px));
    pixels.core_bright += static_cast<double>(f.smooth(py, px)) > cut;
  });
  visit_inside_of(shape.outer, [&](std::size_t py, std::size_t px) {
    const std::size_t i = py * f.data.width + px;
    if (ws.labels[i] != label || ws.rim_mask[i] == 0 || left_out(f, py, px)) return;
    const double to_inner = inner(static_cast<double>(py), static_cast<double>(px)).distance;
    const double to_outer = outer(static_cast<double>(py), static_cast<double>(px)).distance;
    if (3 * std::min(to_inner, to_outer) < std::max(to_inner, to_outer)) return;  // the middle half of the rim
    pixels.rim.push_back(f.data(py, px));
    pixels.saturated += (f.mask(py, px) & mask_saturated) != 0;
  });
  Box box{f.data.height, f.data.width, 0, 0};
  for (const Vertex& v : shape.outer) {  // all of them within the frame
    box.y0 = std::min(box.y0, static_cast<std::size_t>(v.y));
    box.x0 = std::min(box.x0, static_cast<std::size_t>(v.x));
    box.y1 = std::max(box.y1, static_cast<std::size_t>(v.y) + 1);
    box.x1 = std::max(box.x1, static_cast<std::size_t>(v.x) + 1);
  }
  ws.search->painted.push_back(box);
  return pixels;
}

bool is_covered(const RimCandidate& hole, double area, std::span<const TracedCandidate> traced) {
  return std::any_of(traced.begin(), traced.end(), [&](const TracedCandidate& other) {
    return other.confidence > 0.3 && covers(*other.trace, hole.centre_y, hole.centre_x, area);
  });
}

}  // namespace

bool add_odd_shape(const Frame& f, const RimCandidate& hole, std::span<const TracedCandidate> traced,
                   const Background& background, const RimOptions& o, RimWorkspace& ws, Lesion& lesion) {
  const auto y = static_cast<std::size_t>(std::lround(hole.centre_y));
  const auto x = static_cast<std::size_t>(std::lround(hole.centre_x));
  const double cut = o.sbr_cut * background.level;
  OddBuffers& odd = ws.search->odd;
  const OddShape& shape = odd.shape;
  const auto trace_at = [&](double level) {
    return static_cast<double>(f.smooth(y, x)) < level && trace_odd_shape(f.smooth, y, x, level, background.level, odd);
  };
  if (ws.labels[y * f.data.width + x] != 0) return false;
  if (!trace_at(cut)) return false;
  // From the cut to half way between core and rim.
  std::vector<float>& core = odd.core;
  const auto read_core = [&] {
    core.clear();
    visit_inside(shape.inner, f.data.height, f.data.width, odd.rows, [&](std::size_t py, std::size_t px) {
      if (!std::isnan(f.smooth(py, px))) core.push_back(f.smooth(py, px));
    });
  };
  read_core();
  if (core.empty()) return false;
  const auto median_of = [&](const std::vector<double>& values) {
    odd.values.assign(values.begin(), values.end());
    return median(odd.values);
  };
  find_peaks(f.smooth, odd);
  const double level = 0.5 * (median(core) + median_of(shape.peak));
  if (!trace_at(level)) return false;
  const double area = polygon_area(shape.inner);
  if (area < o.min_area_px || polygon_area(shape.outer) > most_odd * area) return false;
  if (is_covered(hole, area, traced) &&
      seen_area(shape.inner, hole.centre_y, hole.centre_x, odd.across) > most_seen * area) {
    return false;
  }
  // One dark thing: a core that leaks through a gap into the liver is two.
  read_core();
  const double middle = median(core);
  if (quantile(core, 0.7) - quantile(core, 0.1) > level - middle) return false;
  const auto bright = std::count_if(core.begin(), core.end(), [&](float v) { return static_cast<double>(v) > level; });
  if (static_cast<double>(bright) > most_bright * static_cast<double>(core.size())) return false;
  find_peaks(f.smooth, odd);
  find_slopes(f.smooth, odd.shape);
  lesion.not_star_shaped = true;
  lesion.inner = shape.inner;
  lesion.outer = shape.outer;
  lesion.thickness = shape.thickness;
  const double noise = noise_after_blur(background.sigma, o.smooth_px);
  for (const double slope : shape.inner_slope) lesion.inner_sigma.push_back(noise / slope);
  for (const double slope : shape.outer_slope) lesion.outer_sigma.push_back(noise / slope);
  lesion.edge_sigma_px =
      2 * (level - middle) / (std::sqrt(2 * std::numbers::pi) * median_of(shape.inner_slope));  // of a blurred step
  lesion.correlation_px = 2 * std::sqrt(std::numbers::pi) * o.smooth_px;  // integral of exp(-d^2/(4 s^2))
  const auto over = std::count_if(shape.peak.begin(), shape.peak.end(), [&](double peak) { return peak > cut; });
  lesion.completeness = static_cast<double>(over) / static_cast<double>(shape.peak.size());

  fill_contrast(lesion, paint(f, cut, o.smooth_px, lesion.label, ws), background, o);
  fill_sizes(lesion, o);
  const double depth = std::isnan(lesion.core_depth) ? 0.0 : std::clamp(lesion.core_depth, 0.0, 1.0);
  lesion.confidence = odd_confidence * lesion.completeness * depth;
  return true;
}

}  // namespace pyicg::detail
