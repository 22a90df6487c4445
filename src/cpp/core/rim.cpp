#include "pyicg/rim.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

#include "../kernels/gaussian.hpp"
#include "detail/bright.hpp"
#include "detail/odd_shape.hpp"
#include "detail/rim_candidates.hpp"
#include "detail/select.hpp"
#include "detail/trace_rim.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr std::uint8_t invalid = mask_bad | mask_excluded | mask_out_of_range | mask_not_finite;

constexpr double least_support = 0.35;  // a rim broken over half of its turn, and a tenth for its blurred ends
constexpr double least_depth = 0.1;     // a core less than a tenth darker than its rim is texture
constexpr double most_overlap = 0.3;    // of the smaller of two cores, with the other lesion: they are the same
constexpr double least_glow = 0.75;     // of the SBR cut's step: a rim that never comes near the cut is none
constexpr double most_seen = 0.87;      // of a core that is not star-shaped: what straight rays reach
constexpr double most_odd = 4;          // outer over inner area of a lesion that is not star-shaped
constexpr double most_bright = 0.02;    // of such a core: more is another rim in it
constexpr double odd_confidence = 0.5;  // at most: no model of a rim stands behind it

struct Frame {
  ImageView<const float> data;
  ImageView<const std::uint8_t> mask;
  ImageView<const float> smooth;
};

bool left_out(const Frame& f, std::size_t y, std::size_t x) {
  return (f.mask(y, x) & mask_left_out & ~mask_saturated) != 0;
}

// Radii between rays, and where a pixel lies within the rim.
class PolarShape {
 public:
  explicit PolarShape(const detail::RimTrace& trace) : trace_(trace) {}

  struct Place {
    double r, inner, outer;
    bool rim;  // the nearest ray carries a rim
  };
  [[nodiscard]] Place place(std::size_t y, std::size_t x) const {
    const double dy = static_cast<double>(static_cast<std::ptrdiff_t>(y) - trace_.centre_y);
    const double dx = static_cast<double>(static_cast<std::ptrdiff_t>(x) - trace_.centre_x);
    const std::vector<double>& inner = trace_.fit.inner.radius;
    const std::vector<double>& outer = trace_.fit.outer.radius;
    const std::size_t n = inner.size();
    const double turn = std::atan2(dy, dx) / (2 * std::numbers::pi);
    const double position = (turn < 0 ? turn + 1 : turn) * static_cast<double>(n);
    const auto k = static_cast<std::size_t>(position);
    const double share = position - static_cast<double>(k);
    const std::size_t a = k % n;
    const std::size_t b = (k + 1) % n;
    return {std::hypot(dy, dx), (1 - share) * inner[a] + share * inner[b], (1 - share) * outer[a] + share * outer[b],
            trace_.present[share < 0.5 ? a : b]};
  }

 private:
  const detail::RimTrace& trace_;
};

// What the pixels of one lesion say.
struct PixelStats {
  std::vector<float> rim;   // the middle half of the rim
  std::vector<float> core;  // the core without its blurred edge
  std::size_t core_bright = 0;
  std::size_t core_pixels = 0;
  std::vector<std::size_t> overlap;  // core pixels that are lesion k + 1's
  std::size_t saturated = 0;
  std::size_t rim_pixels = 0;
  std::size_t rim_known = 0;  // of them, in another lesion
};

struct Box {
  std::size_t y0, x0, y1, x1;  // first row and column, and one past the last
};

Box box_about(const Frame& f, double y, double x, double reach) {
  const auto low = [&](double c) { return static_cast<std::size_t>(std::max(0.0, std::floor(c - reach))); };
  const auto high = [&](double c, std::size_t n) {
    return std::min(n, static_cast<std::size_t>(std::max(0.0, c + reach)) + 2);
  };
  return {low(y), low(x), high(y, f.data.height), high(x, f.data.width)};
}

PixelStats look(const Frame& f, const detail::RimTrace& trace, double cut, RimWorkspace& ws, Box& box) {
  const std::vector<double>& outer = trace.fit.outer.radius;
  box = box_about(f, static_cast<double>(trace.centre_y), static_cast<double>(trace.centre_x),
                  *std::max_element(outer.begin(), outer.end()));
  const PolarShape shape(trace);
  const double blur = std::hypot(trace.fit.blur_px, 0.5);
  PixelStats s;
  for (std::size_t y = box.y0; y < box.y1; ++y) {
    for (std::size_t x = box.x0; x < box.x1; ++x) {
      const auto p = shape.place(y, x);
      if (p.r < p.inner) {
        ++s.core_pixels;
        const std::size_t i = y * f.data.width + x;
        if (ws.labels[i] != 0) {
          const auto other = static_cast<std::size_t>(ws.labels[i]);
          if (s.overlap.size() < other) s.overlap.resize(other);
          ++s.overlap[other - 1];
        }
        if (p.r > std::max(p.inner - 2 * blur, 0.5 * p.inner) || left_out(f, y, x)) continue;
        s.core.push_back(f.data(y, x));
        s.core_bright += static_cast<double>(f.smooth(y, x)) > cut;
        continue;
      }
      if (p.rim && p.r <= p.outer) {
        ++s.rim_pixels;
        s.rim_known += ws.labels[y * f.data.width + x] != 0;
      }
      const double across = (p.r - p.inner) / (p.outer - p.inner);
      if (!p.rim || across < 0.25 || across > 0.75 || left_out(f, y, x)) continue;
      s.rim.push_back(f.data(y, x));
      s.saturated += (f.mask(y, x) & mask_saturated) != 0;
    }
  }
  return s;
}

// Fills the maps. Where two lesions touch, the first keeps the pixel.
void paint(const Frame& f, const detail::RimTrace& trace, std::int32_t label, const Box& box, RimWorkspace& ws) {
  const PolarShape shape(trace);
  for (std::size_t y = box.y0; y < box.y1; ++y) {
    for (std::size_t x = box.x0; x < box.x1; ++x) {
      const std::size_t i = y * f.data.width + x;
      if (ws.labels[i] != 0) continue;
      const auto p = shape.place(y, x);
      const bool core = p.r < p.inner;
      if (!core && !(p.r <= p.outer && p.rim)) continue;
      ws.labels[i] = label;
      (core ? ws.core_mask : ws.rim_mask)[i] = 1;
    }
  }
}

Measurement ratio(std::span<const float> signal, const Background& below, const PixelStats& s, Reason carried) {
  const detail::Moments m = detail::moments(signal);
  if (m.n < 2) return Measurement::undefined(Reason::too_few_pixels);
  Measurement found = signal_ratio(m.mean, m.sd / std::sqrt(static_cast<double>(m.n)), below);
  if (found.reason == Reason::none) found.reason = carried;
  if (s.saturated > 0 && !std::isnan(found.value)) {
    found.hi = infinity;
    found.reason = Reason::saturated_lower_bound;
  }
  return found;
}

// Rim over background and rim over core.
void fill_contrast(Lesion& lesion, const PixelStats& s, const Background& background, const RimOptions& o) {
  lesion.sbr = ratio(s.rim, background, s, o.carried);
  const detail::Moments core = detail::moments(s.core);
  if (core.n < 2) {
    lesion.sbr_core = Measurement::undefined(Reason::too_few_pixels);
    return;
  }
  Background dark;
  dark.level = core.mean;
  dark.sigma = core.sd;
  dark.sem = core.sd / std::sqrt(static_cast<double>(core.n));
  dark.n_pixels = core.n;
  lesion.sbr_core = ratio(s.rim, dark, s, o.carried);
  const detail::Moments rim = detail::moments(s.rim);
  lesion.core_depth = rim.n > 0 && rim.mean > 0 ? 1 - core.mean / rim.mean : nan;
  lesion.saturated = s.saturated > 0;
  lesion.core_bright = static_cast<double>(s.core_bright) / static_cast<double>(core.n);
}

double mean_square(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return sum / static_cast<double>(values.size());
}

// Mean thickness and area with the uncertainty of the boundaries, in px and mm^2.
void fill_sizes(Lesion& lesion, double sigma_thickness, const RimOptions& o) {
  double sum = 0;
  double known = 0;
  for (const double t : lesion.thickness) {
    if (std::isnan(t)) continue;
    sum += t;
    ++known;
  }
  lesion.area_px = detail::polygon_area(lesion.inner);
  const Vertex middle = detail::polygon_centroid(lesion.inner);
  lesion.centroid_y = middle.y;
  lesion.centroid_x = middle.x;
  const double length = 2 * std::sqrt(std::numbers::pi * lesion.area_px);
  // Rays closer together than the correlation length say the same thing: count independent ones only.
  const double independent = std::clamp(length / lesion.correlation_px, 1.0, std::max(known, 1.0));
  lesion.mean_thickness = known > 0 ? normal_measurement(sum / known, sigma_thickness / std::sqrt(independent))
                                    : Measurement::undefined(Reason::clipped_by_border);
  const double px = o.pixel_size_mm;
  if (std::isnan(px)) {
    lesion.mean_thickness_mm = lesion.area_mm2 = Measurement::undefined(Reason::no_pixel_size);
    return;
  }
  const Measurement& t = lesion.mean_thickness;
  lesion.mean_thickness_mm = {t.value * px, t.sigma * px, t.lo * px, t.hi * px, t.reason};
  // The area's error is the contour's mean error times its length.
  const double sigma = std::sqrt(mean_square(lesion.inner_sigma));
  const double area_sigma = sigma * length / std::sqrt(length / std::min(lesion.correlation_px, length));
  lesion.area_mm2 = normal_measurement(lesion.area_px * px * px, area_sigma * px * px);
}

// Circular runs of rays in the frame that carry no rim.
std::vector<Gap> gaps_of(const detail::RimTrace& trace) {
  const std::size_t n = trace.over.size();
  const double degrees = 360.0 / static_cast<double>(n);
  const auto open = [&](std::size_t k) { return trace.in_view[k % n] && !trace.over[k % n]; };
  std::vector<Gap> gaps;
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
  return gaps;
}

void fill_contours(Lesion& lesion, const detail::RimTrace& trace) {
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
  lesion.gaps = gaps_of(trace);
  lesion.inner_sigma = trace.fit.inner.sigma;
  lesion.outer_sigma = trace.fit.outer.sigma;
  lesion.correlation_px = trace.fit.inner.correlation_px;
  lesion.edge_sigma_px = trace.fit.blur_px;
}

// How far the core lies under its rim, on the scale rim to the darker of core and surroundings.
double depth_of(const detail::RimTrace& trace) {
  return (trace.rim - trace.core) / (trace.rim - std::min(trace.core, trace.outside));
}

// Part of a lesion that was found before.
bool is_known(const PixelStats& s, const std::vector<Lesion>& lesions) {
  for (std::size_t k = 0; k < s.overlap.size(); ++k) {
    const double smaller = std::min(static_cast<double>(s.core_pixels), lesions[k].area_px);
    if (static_cast<double>(s.overlap[k]) > most_overlap * smaller) return true;
  }
  // What lies beside a rim is no core of its own.
  return 2 * s.rim_known > s.rim_pixels;
}

// Why a traced candidate is no lesion; none: it is one.
Reason why_not(const detail::RimTrace& trace, const PixelStats& s, const Background& background, const RimOptions& o) {
  if (static_cast<double>(s.core_pixels) < o.min_area_px) return Reason::below_min_area;
  if (!(depth_of(trace) >= least_depth)) return Reason::no_enclosed_core;
  const double glow = background.level * (1 + least_glow * (o.sbr_cut - 1));
  if (trace.support < least_support || !(trace.rim > glow)) return Reason::no_closed_boundary;
  return Reason::none;
}

// Where a core fills most of the frame it may be its commonest level: then the background is the core's, not that of
// what lies around the rim.
bool took_core_for_liver(const detail::RimTrace& trace, const Background& background) {
  return background.level < 0.7 * trace.outside &&
         std::fabs(background.level - trace.core) < 0.25 * (trace.outside - trace.core);
}

// Fills lesion and maps; leaves both as they are where the lesion is known already. A reason: it is none.
Reason add_traced(const Frame& f, const detail::RimTrace& trace, const std::vector<Lesion>& lesions,
                  const Background& background, const RimOptions& o, RimWorkspace& ws, Lesion& lesion) {
  Box box{};
  const PixelStats pixels = look(f, trace, o.sbr_cut * background.level, ws, box);
  if (is_known(pixels, lesions)) return Reason::none;
  const Reason why = why_not(trace, pixels, background, o);
  if (why != Reason::none) return why;
  fill_contours(lesion, trace);
  fill_contrast(lesion, pixels, background, o);
  if (took_core_for_liver(trace, background)) {
    lesion.background_not_resolved = true;
    lesion.sbr = Measurement::undefined(Reason::background_not_resolved);
  }
  fill_sizes(lesion, std::sqrt(mean_square(lesion.inner_sigma) + mean_square(lesion.outer_sigma)), o);
  paint(f, trace, lesion.label, box, ws);
  return Reason::none;
}

// A trace that goes around a hole and no further.
bool covers(const detail::RimTrace& trace, double y, double x, double area) {
  double inside = 0;  // the sector's area of each ray
  for (const double r : trace.fit.inner.radius) inside += std::numbers::pi * r * r;
  inside /= static_cast<double>(trace.fit.inner.radius.size());
  const PolarShape::Place p =
      PolarShape(trace).place(static_cast<std::size_t>(std::lround(y)), static_cast<std::size_t>(std::lround(x)));
  return p.r < p.inner && inside > 0.75 * area && inside < 1.35 * area;
}

// A grain of a larger lesion's core.
bool is_well_within(const detail::RimCandidate& candidate, const detail::RimTrace& trace) {
  const PolarShape::Place p = PolarShape(trace).place(static_cast<std::size_t>(std::lround(candidate.centre_y)),
                                                      static_cast<std::size_t>(std::lround(candidate.centre_x)));
  return p.r < p.outer && p.inner > 1.5 * candidate.radius_px;
}

// A core that a bright region encloses but straight rays from one place do not reach, or that no trace covers:
// grey-level contours of the smoothed frame.
template <class Covered>
bool add_odd_shape(const Frame& f, const detail::RimCandidate& hole, const Covered& covered,
                   const Background& background, const RimOptions& o, RimWorkspace& ws, Lesion& lesion) {
  const auto y = static_cast<std::size_t>(std::lround(hole.centre_y));
  const auto x = static_cast<std::size_t>(std::lround(hole.centre_x));
  const double cut = o.sbr_cut * background.level;
  const auto traced_at = [&](double level) {
    return static_cast<double>(f.smooth(y, x)) < level
               ? detail::trace_odd_shape(f.smooth, y, x, level, background.level)
               : std::nullopt;
  };
  if (ws.labels[y * f.data.width + x] != 0) return false;
  auto shape = traced_at(cut);
  if (!shape) return false;
  // From the cut to half way between core and rim.
  std::vector<float> core;
  const auto read_core = [&] {
    core.clear();
    detail::visit_inside(shape->inner, f.data.height, f.data.width, [&](std::size_t py, std::size_t px) {
      if (!std::isnan(f.smooth(py, px))) core.push_back(f.smooth(py, px));
    });
  };
  read_core();
  if (core.empty()) return false;
  std::vector<float> peaks(shape->peak.begin(), shape->peak.end());
  const double level = 0.5 * (detail::median(core) + detail::median(peaks));
  shape = traced_at(level);
  if (!shape) return false;
  const double area = detail::polygon_area(shape->inner);
  if (area < o.min_area_px || detail::polygon_area(shape->outer) > most_odd * area) return false;
  if (detail::seen_area(shape->inner, hole.centre_y, hole.centre_x) > most_seen * area && covered(area)) return false;
  // One dark thing: a core that leaks through a gap into the liver is two.
  read_core();
  const double middle = detail::median(core);
  if (detail::quantile(core, 0.7) - detail::quantile(core, 0.1) > level - middle) return false;
  const auto bright = std::count_if(core.begin(), core.end(), [&](float v) { return static_cast<double>(v) > level; });
  if (static_cast<double>(bright) > most_bright * static_cast<double>(core.size())) return false;
  lesion.not_star_shaped = true;
  lesion.inner = shape->inner;
  lesion.outer = shape->outer;
  lesion.thickness = shape->thickness;
  const double noise = detail::noise_after_blur(background.sigma, o.smooth_px);
  for (const double slope : shape->inner_slope) lesion.inner_sigma.push_back(noise / slope);
  for (const double slope : shape->outer_slope) lesion.outer_sigma.push_back(noise / slope);
  std::vector<float> slopes(shape->inner_slope.begin(), shape->inner_slope.end());
  lesion.edge_sigma_px =
      2 * (level - middle) / (std::sqrt(2 * std::numbers::pi) * detail::median(slopes));  // of a blurred step
  lesion.correlation_px = 2 * std::sqrt(std::numbers::pi) * o.smooth_px;  // integral of exp(-d^2/(4 s^2))
  const auto over = std::count_if(shape->peak.begin(), shape->peak.end(), [&](double peak) { return peak > cut; });
  lesion.completeness = static_cast<double>(over) / static_cast<double>(shape->peak.size());

  PixelStats pixels;
  detail::visit_inside(shape->outer, f.data.height, f.data.width, [&](std::size_t py, std::size_t px) {
    const std::size_t i = py * f.data.width + px;
    if (ws.labels[i] != 0) return;
    ws.labels[i] = lesion.label;
    ws.rim_mask[i] = 1;
  });
  detail::visit_inside(shape->inner, f.data.height, f.data.width, [&](std::size_t py, std::size_t px) {
    const std::size_t i = py * f.data.width + px;
    if (ws.labels[i] != lesion.label) return;
    ws.rim_mask[i] = 0;
    ws.core_mask[i] = 1;
    if (left_out(f, py, px) || detail::distance_to(shape->inner, py, px) < 2 * o.smooth_px) return;
    pixels.core.push_back(f.data(py, px));
    pixels.core_bright += static_cast<double>(f.smooth(py, px)) > cut;
  });
  detail::visit_inside(shape->outer, f.data.height, f.data.width, [&](std::size_t py, std::size_t px) {
    const std::size_t i = py * f.data.width + px;
    if (ws.labels[i] != lesion.label || ws.rim_mask[i] == 0 || left_out(f, py, px)) return;
    const double to_inner = detail::distance_to(shape->inner, py, px);
    const double to_outer = detail::distance_to(shape->outer, py, px);
    if (3 * std::min(to_inner, to_outer) < std::max(to_inner, to_outer)) return;  // the middle half of the rim
    pixels.rim.push_back(f.data(py, px));
    pixels.saturated += (f.mask(py, px) & mask_saturated) != 0;
  });
  fill_contrast(lesion, pixels, background, o);
  fill_sizes(lesion, std::sqrt(mean_square(lesion.inner_sigma) + mean_square(lesion.outer_sigma)), o);
  const double depth = std::isnan(lesion.core_depth) ? 0.0 : std::clamp(lesion.core_depth, 0.0, 1.0);
  lesion.confidence = odd_confidence * lesion.completeness * depth;
  return true;
}

// Labels 1, 2, ... from the largest lesion to the smallest.
void order_by_size(std::vector<Lesion>& lesions, RimWorkspace& ws) {
  std::stable_sort(lesions.begin(), lesions.end(),
                   [](const Lesion& a, const Lesion& b) { return a.area_px > b.area_px; });
  std::vector<std::int32_t> renamed(lesions.size() + 1, 0);
  for (std::size_t k = 0; k < lesions.size(); ++k) {
    renamed[static_cast<std::size_t>(lesions[k].label)] = static_cast<std::int32_t>(k + 1);
    lesions[k].label = static_cast<std::int32_t>(k + 1);
  }
  for (std::int32_t& label : ws.labels) label = renamed[static_cast<std::size_t>(label)];
}

Rejected rejected_at(Reason why, const detail::RimCandidate& c, const Frame& f) {
  const Box box = box_about(f, c.centre_y, c.centre_x, c.radius_px);
  return {why,    c.centre_y, c.centre_x, std::numbers::pi * c.radius_px * c.radius_px,
          box.y0, box.x0,     box.y1 - 1, box.x1 - 1};
}

}  // namespace

RimWorkspace::RimWorkspace() : search(std::make_unique<detail::RimSearchWorkspace>()) {}
RimWorkspace::~RimWorkspace() = default;
RimWorkspace::RimWorkspace(RimWorkspace&&) noexcept = default;
RimWorkspace& RimWorkspace::operator=(RimWorkspace&&) noexcept = default;

void smooth_frame(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma_px, RimWorkspace& ws) {
  const auto smooth = detail::plane(ws.smooth, data.height, data.width);
  bool whole = true;
  for (std::size_t y = 0; y < data.height; ++y) {
    for (std::size_t x = 0; x < data.width; ++x) {
      const bool ok = (mask(y, x) & invalid) == 0;
      whole &= ok;
      smooth(y, x) = ok ? data(y, x) : 0.0F;
    }
  }
  if (whole) {
    kernels::gaussian(smooth, sigma_px, smooth, ws.scratch);
    return;
  }
  // Normalised convolution: what is invalid has no weight.
  const auto weights = detail::plane(ws.weights, data.height, data.width);
  for (std::size_t y = 0; y < data.height; ++y) {
    for (std::size_t x = 0; x < data.width; ++x) weights(y, x) = (mask(y, x) & invalid) == 0 ? 1.0F : 0.0F;
  }
  kernels::gaussian(smooth, sigma_px, smooth, ws.scratch);
  kernels::gaussian(weights, sigma_px, weights, ws.scratch);
  for (std::size_t i = 0; i < ws.smooth.size(); ++i) {
    ws.smooth[i] = ws.weights[i] > 0.01F ? ws.smooth[i] / ws.weights[i] : std::numeric_limits<float>::quiet_NaN();
  }
}

void check(const RimOptions& o) {
  const auto require = [](bool ok, ErrorKind kind, const char* name, const char* expected, double found) {
    if (!ok) throw Error(kind, std::string(name) + " must be " + expected + ", found " + std::to_string(found));
  };
  const double px = o.pixel_size_mm;
  const double psf = o.psf_sigma_px;
  require(o.sbr_cut > 1 && std::isfinite(o.sbr_cut), ErrorKind::input, "sbr_cut", "greater than 1", o.sbr_cut);
  require(std::isnan(px) || (px > 0 && std::isfinite(px)), ErrorKind::unit, "pixel_size_mm", "positive", px);
  require(o.smooth_px >= 0.5 && o.smooth_px <= 100, ErrorKind::input, "smooth_px", "between 0.5 and 100", o.smooth_px);
  require(std::isnan(psf) || (psf >= 0 && psf <= 100), ErrorKind::input, "psf_sigma_px", "between 0 and 100", psf);
  require(o.min_area_px >= 1, ErrorKind::input, "min_area_px", "at least 1", o.min_area_px);
}

RimResult segment_rim(ImageView<const float> data, ImageView<const std::uint8_t> mask, const Background& background,
                      const RimOptions& options, RimWorkspace& ws) {
  const std::size_t size = data.size();
  ws.labels.assign(size, 0);
  ws.rim_mask.assign(size, 0);
  ws.core_mask.assign(size, 0);
  RimResult result;
  if (std::isnan(background.level)) return result;
  const Frame frame{data, mask, ImageView<const float>(ws.smooth.data(), data.height, data.width)};
  const double cut = options.sbr_cut * background.level;
  const detail::RimSearch search{options.sbr_cut, options.min_area_px, options.smooth_px, options.threshold};
  const detail::TraceOptions tracing{cut, background.level, options.psf_sigma_px, options.smooth_px, invalid};
  struct Traced {
    detail::RimCandidate candidate;
    std::optional<detail::RimTrace> trace;
    double confidence;
  };
  std::vector<Traced> traced;
  for (const detail::RimCandidate& candidate :
       detail::find_rim_candidates(data, mask, background, search, result.rejected, ws, *ws.search)) {
    auto trace = detail::trace_rim(data, mask, candidate, tracing);
    const double confidence = trace ? detail::confidence(trace->evidence) : 0.0;
    traced.push_back({candidate, std::move(trace), confidence});
  }
  const auto add = [&](const auto& fill) {
    Lesion lesion;
    lesion.label = static_cast<std::int32_t>(result.lesions.size() + 1);
    lesion.background_not_resolved = background.reason != Reason::none;
    if (fill(lesion)) result.lesions.push_back(std::move(lesion));
  };
  // Shapes that rays do not see first: traced, they would fall into pieces.
  for (const detail::RimCandidate& hole : ws.search->holes) {
    const bool within = std::any_of(traced.begin(), traced.end(), [&](const Traced& other) {
      return other.confidence > 0.5 && is_well_within(hole, *other.trace);
    });
    if (within) continue;
    const auto covered = [&](double area) {
      return std::any_of(traced.begin(), traced.end(), [&](const Traced& other) {
        return other.confidence > 0.3 && covers(*other.trace, hole.centre_y, hole.centre_x, area);
      });
    };
    add([&](Lesion& lesion) { return add_odd_shape(frame, hole, covered, background, options, ws, lesion); });
  }
  // Several candidates may lead to one lesion: the surest keeps the place.
  std::stable_sort(traced.begin(), traced.end(),
                   [](const Traced& a, const Traced& b) { return a.confidence > b.confidence; });
  for (const Traced& one : traced) {
    Reason why = Reason::no_closed_boundary;
    add([&](Lesion& lesion) {
      if (!one.trace) return false;
      why = add_traced(frame, *one.trace, result.lesions, background, options, ws, lesion);
      lesion.confidence = one.confidence;
      return !lesion.inner.empty();
    });
    if (why != Reason::none) result.rejected.push_back(rejected_at(why, one.candidate, frame));
  }
  order_by_size(result.lesions, ws);
  return result;
}

}  // namespace pyicg
