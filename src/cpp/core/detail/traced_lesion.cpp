#include "traced_lesion.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "polar.hpp"
#include "rim_workspace.hpp"

namespace pyicg::detail {
namespace {

constexpr double least_support = 0.35;  // a rim broken over half of its turn, and a tenth for its blurred ends
constexpr double least_depth = 0.1;     // a core less than a tenth darker than its rim is texture
constexpr double most_overlap = 0.3;    // of the smaller of two cores, with the other lesion: they are the same
constexpr double least_glow = 0.75;     // of the SBR cut's step: a rim that never comes near the cut is none
constexpr double least_light = 0.2;     // of that: what blur leaves of a rim a third as wide as itself

// What a pixel is to a lesion.
enum Part : std::uint8_t { neither, core, rim };

// Where a pixel lies, as its ray from the centre sees it.
struct Place {
  double r = 0, inner = 0, outer = 0;
  bool rim = false;  // the nearest ray carries a rim
};

Place place_of(const RimTrace& trace, std::size_t y, std::size_t x) {
  const double dy = static_cast<double>(static_cast<std::ptrdiff_t>(y) - trace.centre_y);
  const double dx = static_cast<double>(static_cast<std::ptrdiff_t>(x) - trace.centre_x);
  const BetweenRays rays = rays_towards(dy, dx, trace.present.size());
  return {std::hypot(dy, dx), between(trace.fit.inner.radius, rays), between(trace.fit.outer.radius, rays),
          trace.present[rays.share < 0.5 ? rays.before : rays.after]};
}

// The pixel nearest to a point.
Place place_of(const RimTrace& trace, double y, double x) {
  return place_of(trace, static_cast<std::size_t>(std::lround(y)), static_cast<std::size_t>(std::lround(x)));
}

// What the frame and its maps say of a trace, beside what is kept in the workspace: pixels, overlap and parts.
struct Seen {
  Box box{};
  std::size_t core = 0;       // pixels
  std::size_t rim = 0;        // pixels
  std::size_t rim_known = 0;  // of them, in another lesion
};

Seen look(const Frame& f, const RimTrace& trace, double cut, RimWorkspace& ws) {
  const std::vector<double>& inner = trace.fit.inner.radius;
  const std::vector<double>& outer = trace.fit.outer.radius;
  const double most_outer = *std::max_element(outer.begin(), outer.end());
  PixelStats& pixels = ws.search->pixels;
  pixels.clear();
  std::vector<std::size_t>& overlap = ws.search->overlap;
  overlap.clear();
  Seen s;
  s.box = box_about(f, static_cast<double>(trace.centre_y), static_cast<double>(trace.centre_x), most_outer);
  const double blur = std::hypot(trace.fit.blur_px, 0.5);
  const auto deep_from = [&](double r) { return std::max(r - 2 * blur, 0.5 * r); };
  // Deeper than all rays say, and further out: no ray need be asked. A little less of either, for what is rounded.
  const double deep = (1 - 1e-9) * std::max(deep_from(*std::min_element(inner.begin(), inner.end())), 0.0);
  const double out = (1 + 1e-9) * std::max(most_outer, *std::max_element(inner.begin(), inner.end()));
  const std::size_t width = s.box.x1 - s.box.x0;
  std::vector<std::uint8_t>& parts = ws.search->parts;
  parts.assign((s.box.y1 - s.box.y0) * width, neither);
  for (std::size_t y = s.box.y0; y < s.box.y1; ++y) {
    const double dy = static_cast<double>(static_cast<std::ptrdiff_t>(y) - trace.centre_y);
    for (std::size_t x = s.box.x0; x < s.box.x1; ++x) {
      const double dx = static_cast<double>(static_cast<std::ptrdiff_t>(x) - trace.centre_x);
      const double square = dy * dy + dx * dx;
      if (square > out * out) continue;
      const bool surely_deep = square < deep * deep;
      const Place p = surely_deep ? Place{} : place_of(trace, y, x);
      const std::size_t i = y * f.data.width + x;
      std::uint8_t& part = parts[(y - s.box.y0) * width + x - s.box.x0];
      if (surely_deep || p.r < p.inner) {
        part = core;
        ++s.core;
        if (ws.labels[i] != 0) {
          const auto other = static_cast<std::size_t>(ws.labels[i]);
          if (overlap.size() < other) overlap.resize(other);
          ++overlap[other - 1];
        }
        if ((!surely_deep && p.r > deep_from(p.inner)) || left_out(f, y, x)) continue;
        pixels.core.push_back(f.data(y, x));
        pixels.core_bright += static_cast<double>(f.smooth(y, x)) > cut;
        continue;
      }
      if (p.rim && p.r <= p.outer) {
        part = rim;
        ++s.rim;
        s.rim_known += ws.labels[i] != 0;
      }
      const double across = (p.r - p.inner) / (p.outer - p.inner);
      if (!p.rim || across < 0.25 || across > 0.75 || left_out(f, y, x)) continue;
      pixels.rim.push_back(f.data(y, x));
      pixels.saturated += (f.mask(y, x) & mask_saturated) != 0;
    }
  }
  return s;
}

// Fills the maps with the parts that `look` has found. Where two lesions touch, the first keeps the pixel.
void paint(std::size_t frame_width, std::int32_t label, const Box& box, RimWorkspace& ws) {
  const std::uint8_t* part = ws.search->parts.data();
  for (std::size_t y = box.y0; y < box.y1; ++y) {
    for (std::size_t x = box.x0; x < box.x1; ++x, ++part) {
      const std::size_t i = y * frame_width + x;
      if (*part == neither || ws.labels[i] != 0) continue;
      ws.labels[i] = label;
      (*part == core ? ws.core_mask : ws.rim_mask)[i] = 1;
    }
  }
  ws.search->painted.push_back(box);
}

// Circular runs of rays in the frame that carry no rim.
void find_gaps(const RimTrace& trace, std::vector<Gap>& gaps) {
  const std::size_t n = trace.over.size();
  const double degrees = 360.0 / static_cast<double>(n);
  const auto open = [&](std::size_t k) { return trace.in_view[k % n] && !trace.over[k % n]; };
  bool all = true;
  for (std::size_t k = 0; k < n; ++k) {
    all = all && open(k);
    if (!open(k) || open(k + n - 1)) continue;  // a gap starts where the ray before it is closed
    std::size_t end = k;
    while (open(end + 1)) ++end;
    gaps.push_back({(static_cast<double>(k) - 0.5) * degrees, (static_cast<double>(end) + 0.5) * degrees});
    if (gaps.back().from_deg < 0) {
      gaps.back().from_deg += 360;
      gaps.back().to_deg += 360;
    }
  }
  if (all) gaps.push_back({0.0, 360.0});
}

void fill_contours(Lesion& lesion, const RimTrace& trace) {
  const std::size_t n = trace.over.size();
  std::size_t in_view = 0;
  std::size_t over = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    const auto vertex = [&](double r) {
      return Vertex{static_cast<double>(trace.centre_y) + r * std::sin(angle),
                    static_cast<double>(trace.centre_x) + r * std::cos(angle)};
    };
    const double inner = trace.fit.inner.radius[k];
    const double outer = trace.fit.outer.radius[k];
    lesion.inner.push_back(vertex(inner));
    lesion.outer.push_back(vertex(outer));
    lesion.thickness.push_back(trace.present[k] && !trace.clipped[k] ? outer - inner : nan);
    in_view += trace.in_view[k];
    over += trace.over[k];
    lesion.clipped_by_border = lesion.clipped_by_border || trace.clipped[k];
  }
  lesion.completeness = in_view > 0 ? static_cast<double>(over) / static_cast<double>(in_view) : 0.0;
  find_gaps(trace, lesion.gaps);
  lesion.inner_sigma = trace.fit.inner.sigma;
  lesion.outer_sigma = trace.fit.outer.sigma;
  lesion.correlation_px = trace.fit.inner.correlation_px;
  lesion.edge_sigma_px = trace.fit.blur_px;
}

// How far the core lies under its rim, on the scale rim to the darker of core and surroundings.
double depth_of(const RimTrace& trace) {
  return (trace.rim - trace.core) / (trace.rim - std::min(trace.core, trace.outside));
}

// Part of a lesion that was found before.
bool is_known(const Seen& s, RimSearchWorkspace& ws) {
  for (std::size_t k = 0; k < ws.overlap.size(); ++k) {
    const double smaller = std::min(static_cast<double>(s.core), ws.lesions[k].area_px);
    if (static_cast<double>(ws.overlap[k]) > most_overlap * smaller) return true;
  }
  // What lies beside a rim is no core of its own.
  return 2 * s.rim_known > s.rim;
}

// Why a traced candidate is no lesion; none: it is one.
Reason why_not(const RimTrace& trace, const Seen& s, const Background& background, const RimOptions& o) {
  if (static_cast<double>(s.core) < o.min_area_px) return Reason::below_min_area;
  if (!(depth_of(trace) >= least_depth)) return Reason::no_enclosed_core;
  const double glow = background.level * (1 + least_glow * (o.sbr_cut - 1));
  if (trace.support < least_support || !(trace.rim > glow)) return Reason::no_closed_boundary;
  return Reason::none;
}

// Where a core fills most of the frame it may be its commonest level: then the background is the core's, not that of
// what lies around the rim.
bool took_core_for_liver(const RimTrace& trace, const Background& background) {
  return background.level < 0.7 * trace.outside &&
         std::fabs(background.level - trace.core) < 0.25 * (trace.outside - trace.core);
}

}  // namespace

Reason add_traced(const Frame& f, const RimTrace& trace, const Background& background, const RimOptions& o,
                  RimWorkspace& ws, Lesion& lesion) {
  const Seen seen = look(f, trace, o.sbr_cut * background.level, ws);
  if (is_known(seen, *ws.search)) return Reason::none;
  const Reason why = why_not(trace, seen, background, o);
  if (why != Reason::none) return why;
  fill_contours(lesion, trace);
  fill_contrast(lesion, ws.search->pixels, background, o);
  if (took_core_for_liver(trace, background)) {
    lesion.background_not_resolved = true;
    lesion.sbr = Measurement::undefined(Reason::background_not_resolved);
  }
  fill_sizes(lesion, o);
  paint(f.data.width, lesion.label, seen.box, ws);
  return Reason::none;
}

bool covers(const RimTrace& trace, double y, double x, double area) {
  double inside = 0;  // the sector's area of each ray
  for (const double r : trace.fit.inner.radius) inside += std::numbers::pi * r * r;
  inside /= static_cast<double>(trace.fit.inner.radius.size());
  const Place p = place_of(trace, y, x);
  return p.r < p.inner && inside > 0.75 * area && inside < 1.35 * area;
}

bool is_well_within(const RimCandidate& candidate, const RimTrace& trace) {
  const Place p = place_of(trace, candidate.centre_y, candidate.centre_x);
  return p.r < p.outer && p.inner > 1.5 * candidate.radius_px;
}

bool leads_to(const RimTracer::Found& settled, const RimTrace& trace) {
  if (!settled.search) return false;
  constexpr std::size_t depths = 8;  // each stands for as much of the area
  const std::vector<double>& outer = trace.fit.outer.radius;
  const double dy = static_cast<double>(settled.place.y - trace.centre_y);
  const double dx = static_cast<double>(settled.place.x - trace.centre_x);
  // Share of what lies between two contours around the place that also lies in the lesion.
  const auto share_within = [&](auto&& from, auto&& to) {
    const std::size_t n = settled.search->radii.inner.size();
    double area = 0;
    double within = 0;
    for (std::size_t k = 0; k < n; ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
      const double inside = from(k) * from(k);
      const double part = to(k) * to(k) - inside;
      for (std::size_t i = 0; i < depths; ++i) {
        const double r = std::sqrt(inside + part * (static_cast<double>(i) + 0.5) / static_cast<double>(depths));
        const double y = dy + r * std::sin(angle);
        const double x = dx + r * std::cos(angle);
        area += part;
        if (std::hypot(y, x) < between(outer, rays_towards(y, x, outer.size()))) within += part;
      }
    }
    return within / area;
  };
  const RimRadii& found = settled.search->radii;
  const auto inner = [&](std::size_t k) { return found.inner[k]; };
  return share_within([](std::size_t) { return 0.0; }, inner) > 0.5 ||
         share_within(inner, [&](std::size_t k) { return found.outer[k]; }) > 0.6;
}

bool may_glow(const RimTracer::Found& settled, const Background& background, const RimOptions& o) {
  return settled.search && settled.search->rim > background.level * (1 + least_light * least_glow * (o.sbr_cut - 1));
}

}  // namespace pyicg::detail
