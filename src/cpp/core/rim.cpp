#include "pyicg/rim.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "../kernels/gaussian.hpp"
#include "detail/boundary.hpp"
#include "detail/bright.hpp"
#include "detail/candidates.hpp"
#include "detail/select.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr std::uint8_t invalid = mask_bad | mask_excluded | mask_out_of_range | mask_not_finite;

struct Frame {
  ImageView<const float> data;
  ImageView<const std::uint8_t> mask;
  ImageView<const float> smooth;
};

double polygon_area(const std::vector<Vertex>& p) {
  double twice = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const Vertex& a = p[i];
    const Vertex& b = p[(i + 1) % p.size()];
    twice += a.x * b.y - b.x * a.y;
  }
  return 0.5 * std::fabs(twice);
}

// Radii between rays, and where a pixel lies within the rim.
class PolarShape {
 public:
  PolarShape(const std::vector<detail::Ray>& rays, double cy, double cx) : rays_(rays), cy_(cy), cx_(cx) {}

  struct Place {
    double r, inner, outer;
    bool rim;  // the nearest ray carries a rim over the cut
  };
  [[nodiscard]] Place place(std::size_t y, std::size_t x) const {
    const double dy = static_cast<double>(y) - cy_;
    const double dx = static_cast<double>(x) - cx_;
    const std::size_t n = rays_.size();
    const double turn = std::atan2(dy, dx) / (2 * std::numbers::pi);
    const double position = (turn < 0 ? turn + 1 : turn) * static_cast<double>(n);
    const auto k = static_cast<std::size_t>(position);
    const double share = position - static_cast<double>(k);
    const detail::Ray& a = rays_[k % n];
    const detail::Ray& b = rays_[(k + 1) % n];
    const detail::Ray& nearest = share < 0.5 ? a : b;
    return {std::hypot(dy, dx), (1 - share) * a.inner + share * b.inner, (1 - share) * a.outer + share * b.outer,
            nearest.found && nearest.over_cut};
  }

 private:
  const std::vector<detail::Ray>& rays_;
  double cy_, cx_;
};

// Median of the smoothed signal in the inner half of the hole: the core's plateau.
double core_plateau(const Frame& f, const detail::Component& hole, RimWorkspace& ws) {
  const double half = 0.5 * std::sqrt(static_cast<double>(hole.area) / std::numbers::pi);
  ws.scratch.clear();
  for (std::size_t y = hole.y0; y <= hole.y1; ++y) {
    for (std::size_t x = hole.x0; x <= hole.x1; ++x) {
      const double r =
          std::hypot(static_cast<double>(y) - hole.centroid_y(), static_cast<double>(x) - hole.centroid_x());
      if (r <= half && !std::isnan(f.smooth(y, x))) ws.scratch.push_back(f.smooth(y, x));
    }
  }
  return ws.scratch.empty() ? nan : detail::median(ws.scratch);
}

// Circular runs of rays that carry no rim.
std::vector<Gap> gaps_of(const std::vector<detail::Ray>& rays) {
  const std::size_t n = rays.size();
  const double degrees = 360.0 / static_cast<double>(n);
  const auto open = [&](std::size_t k) { return !(rays[k % n].found && rays[k % n].over_cut); };
  std::vector<Gap> gaps;
  for (std::size_t k = 0; k < n; ++k) {
    if (!open(k) || open(k + n - 1)) continue;  // a gap starts where the ray before it is closed
    std::size_t end = k;
    while (open(end + 1)) ++end;
    gaps.push_back({(static_cast<double>(k) - 0.5) * degrees, (static_cast<double>(end) + 0.5) * degrees});
  }
  return gaps;
}

// Fills the maps and collects what the pixels say: rim level (middle half of the rim), noise, shape.
struct PixelStats {
  std::vector<float> rim;
  double residual_squares = 0;
  std::size_t residual_count = 0;
  std::size_t core_pixels = 0;
  std::size_t core_bright = 0;
  std::size_t saturated = 0;
};

PixelStats paint(const Frame& f, const Lesion& lesion, const std::vector<detail::Ray>& rays, double threshold,
                 double blur_px, RimWorkspace& ws) {
  double reach = 0;
  for (const auto& ray : rays) reach = std::max(reach, ray.outer);
  const auto low = [&](double c) { return static_cast<std::size_t>(std::max(0.0, std::floor(c - reach))); };
  const auto high = [&](double c, std::size_t n) { return std::min(n, static_cast<std::size_t>(c + reach) + 2); };
  const PolarShape shape(rays, lesion.centroid_y, lesion.centroid_x);
  PixelStats s;
  for (std::size_t y = low(lesion.centroid_y); y < high(lesion.centroid_y, f.data.height); ++y) {
    for (std::size_t x = low(lesion.centroid_x); x < high(lesion.centroid_x, f.data.width); ++x) {
      const auto p = shape.place(y, x);
      const bool core = p.r < p.inner;
      const bool rim = !core && p.r <= p.outer && p.rim;
      if (!core && !rim) continue;
      const std::size_t i = y * f.data.width + x;
      const bool valid = (f.mask(y, x) & mask_left_out & ~mask_saturated) == 0;
      if (core) {
        ++s.core_pixels;
        s.core_bright += static_cast<double>(f.smooth(y, x)) > threshold && p.r < p.inner - 1.5 * blur_px;
      }
      const double across = (p.r - p.inner) / (p.outer - p.inner);
      const bool mid_rim = rim && across >= 0.25 && across <= 0.75;
      if (valid && mid_rim) {
        s.rim.push_back(f.data(y, x));
        s.saturated += (f.mask(y, x) & mask_saturated) != 0;
      }
      if (valid && (mid_rim || p.r < 0.7 * p.inner)) {
        const double d = static_cast<double>(f.data(y, x)) - static_cast<double>(f.smooth(y, x));
        s.residual_squares += d * d;
        ++s.residual_count;
      }
      if (ws.labels[i] != 0) continue;  // where two lesions touch, the first keeps the pixel
      ws.labels[i] = lesion.label;
      (core ? ws.core_mask : ws.rim_mask)[i] = 1;
    }
  }
  return s;
}

Measurement lesion_sbr(const PixelStats& s, const Background& background, const RimOptions& o) {
  const detail::Moments m = detail::moments(s.rim);
  if (m.n < 2) return Measurement::undefined(Reason::too_few_pixels);
  Measurement sbr = signal_ratio(m.mean, m.sd / std::sqrt(static_cast<double>(m.n)), background);
  if (sbr.reason == Reason::none) sbr.reason = o.carried;
  if (s.saturated > 0 && !std::isnan(sbr.value)) {
    sbr.hi = infinity;
    sbr.reason = Reason::saturated_lower_bound;
  }
  return sbr;
}

void fill_thickness(Lesion& lesion, const std::vector<detail::Ray>& rays, const RimOptions& o) {
  const double px = o.pixel_size_mm;
  std::vector<double> known;
  for (const auto& ray : rays) {
    const bool whole = ray.found && ray.over_cut && !ray.clipped;
    lesion.thickness.push_back(whole ? ray.outer - ray.inner : nan);
    if (whole) known.push_back(lesion.thickness.back());
  }
  if (known.empty()) {
    lesion.mean_thickness = Measurement::undefined(Reason::clipped_by_border);
  } else {
    const auto n = static_cast<double>(known.size());
    double mean = 0;
    for (const double t : known) mean += t;
    mean /= n;
    double squares = 0;
    for (const double t : known) squares += (t - mean) * (t - mean);
    // Rays closer together than the correlation length say the same thing: count independent ones only.
    const double circumference = 2 * std::sqrt(std::numbers::pi * lesion.area_px);
    const double independent = std::clamp(circumference / lesion.correlation_px, 1.0, n);
    const double sd = n > 1 ? std::sqrt(squares / (n - 1)) : nan;
    lesion.mean_thickness = normal_measurement(mean, sd / std::sqrt(independent));
  }
  if (std::isnan(px)) {
    lesion.mean_thickness_mm = lesion.area_mm2 = Measurement::undefined(Reason::no_pixel_size);
    return;
  }
  const Measurement& t = lesion.mean_thickness;
  lesion.mean_thickness_mm = {t.value * px, t.sigma * px, t.lo * px, t.hi * px, t.reason};
  // The area's error is the contour's mean error times its length.
  double sigma = 0;
  for (const double s : lesion.inner_sigma) sigma += s;
  sigma /= static_cast<double>(lesion.inner_sigma.size());
  const double length = 2 * std::sqrt(std::numbers::pi * lesion.area_px);
  const double area_sigma = sigma * std::sqrt(length * lesion.correlation_px);
  lesion.area_mm2 = normal_measurement(lesion.area_px * px * px, area_sigma * px * px);
}

// Heuristic, not a probability: complete rim x core dark beside it x boundary well above the noise.
double confidence_of(const Lesion& lesion, double rim, double core, double background, double noise) {
  const double depth = std::clamp((rim - core) / (rim - std::min(core, background)), 0.0, 1.0);
  const double snr = noise > 0 ? (rim - core) / noise : infinity;
  const double seen = std::isinf(snr) ? 1.0 : std::max(snr, 0.0) / (std::max(snr, 0.0) + 3.0);
  return lesion.completeness * depth * seen * (lesion.not_star_shaped ? 0.5 : 1.0);
}

void fill_contours(Lesion& lesion, const std::vector<detail::Ray>& rays) {
  const std::size_t n = rays.size();
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    const double dy = std::sin(angle);
    const double dx = std::cos(angle);
    lesion.inner.push_back({lesion.centroid_y + rays[k].inner * dy, lesion.centroid_x + rays[k].inner * dx});
    lesion.outer.push_back({lesion.centroid_y + rays[k].outer * dy, lesion.centroid_x + rays[k].outer * dx});
  }
}

// Noise of one pixel from data - smooth, which keeps 1 - 1/(pi s^2) + 1/(4 pi s^2) of white noise's variance
// (1 - 2 w0 + sum w^2 of the weights).
double pixel_noise(const PixelStats& pixels, double smooth_px, double fallback) {
  if (pixels.residual_count == 0) return fallback;
  const double s2 = std::numbers::pi * smooth_px * smooth_px;
  const double kept = std::max(1 - 1 / s2 + 1 / (4 * s2), 0.1);
  return std::sqrt(pixels.residual_squares / static_cast<double>(pixels.residual_count) / kept);
}

// Width of the inner edge, median over the rays: a step of height h blurred by s has slope h/(s sqrt(2 pi)) at its
// middle.
double edge_sigma(const std::vector<detail::Ray>& rays, double core_level, RimWorkspace& ws) {
  ws.scratch.clear();
  for (const auto& ray : rays) {
    if (ray.found && ray.slope > 0) {
      ws.scratch.push_back(static_cast<float>((ray.peak - core_level) / (ray.slope * std::sqrt(2 * std::numbers::pi))));
    }
  }
  return ws.scratch.empty() ? nan : detail::median(ws.scratch);
}

// How well the inner edge is known on each ray, and how wide it is.
void fill_edges(Lesion& lesion, const std::vector<detail::Ray>& rays, double core_level, double smooth_noise,
                RimWorkspace& ws) {
  for (const auto& ray : rays) {
    const double slope = ray.found && ray.slope > 0 ? ray.slope : nan;
    lesion.inner_sigma.push_back(smooth_noise / slope);
  }
  lesion.edge_sigma_px = edge_sigma(rays, core_level, ws);
  // Where a ray carries no rim its vertex is interpolated: as uncertain as the rim is wide on average.
  double mean_sigma = 0;
  for (const auto& ray : rays) mean_sigma += ray.outer - ray.inner;
  mean_sigma /= static_cast<double>(rays.size());
  for (double& s : lesion.inner_sigma) {
    if (std::isnan(s)) s = mean_sigma;
  }
}

bool build_lesion(const Frame& f, const detail::Candidate& candidate, const Background& background, const RimOptions& o,
                  RimWorkspace& ws, Lesion& lesion) {
  const detail::Component& hole = candidate.hole;
  lesion.centroid_y = hole.centroid_y();
  lesion.centroid_x = hole.centroid_x();
  const double radius = std::sqrt(static_cast<double>(hole.area) / std::numbers::pi);
  // A multiple of four: a frame turned by 90 degrees has the same rays.
  const auto n = static_cast<std::size_t>(4 * std::clamp(std::lround(2 * std::numbers::pi * radius / 4), 16L, 180L));
  const double psf = o.psf_sigma_px;
  detail::RayOptions ray_options{};
  ray_options.threshold = candidate.threshold;
  ray_options.cut = background.level * o.sbr_cut;
  ray_options.core_level = core_plateau(f, hole, ws);
  ray_options.total_sigma = std::isnan(psf) ? nan : std::hypot(psf, o.smooth_px);
  ray_options.reach_px = std::hypot(static_cast<double>(f.data.height), static_cast<double>(f.data.width));
  const auto trace = [&] { return detail::trace_rays(f.smooth, lesion.centroid_y, lesion.centroid_x, n, ray_options); };
  std::vector<detail::Ray> rays = trace();
  if (std::isnan(psf)) {
    // Not told how blurred the optics are: the edge itself tells, at least what the smoothing did to it.
    const double edge = edge_sigma(rays, ray_options.core_level, ws);
    if (std::isnan(edge)) return false;
    ray_options.total_sigma = std::max(edge, o.smooth_px);
    rays = trace();
  }

  std::size_t found = 0;
  std::size_t over_cut = 0;
  double rim_level = 0;
  double visible = 0;  // the core's area that straight rays reach, px
  for (const auto& ray : rays) {
    visible += ray.dark * ray.dark * std::numbers::pi / static_cast<double>(n);
    found += ray.found;
    over_cut += ray.found && ray.over_cut;
    if (ray.found) rim_level += ray.peak;
    lesion.clipped_by_border |= ray.clipped;
  }
  if (2 * found < n) return false;
  rim_level /= static_cast<double>(found);
  // A core less than a tenth darker than its rim, on the scale rim to background, is texture.
  if (rim_level - ray_options.core_level < 0.1 * (rim_level - std::min(background.level, ray_options.core_level))) {
    return false;
  }
  lesion.completeness = static_cast<double>(over_cut) / static_cast<double>(n);
  lesion.gaps = over_cut == 0 ? std::vector<Gap>{{0.0, 360.0}} : gaps_of(rays);
  lesion.correlation_px = 2 * std::sqrt(std::numbers::pi) * o.smooth_px;  // integral of exp(-d^2/(4 s^2))
  fill_contours(lesion, rays);
  lesion.area_px = polygon_area(lesion.inner);
  const PixelStats pixels = paint(f, lesion, rays, candidate.threshold, ray_options.total_sigma, ws);

  const double noise = pixel_noise(pixels, o.smooth_px, background.sigma);
  fill_edges(lesion, rays, ray_options.core_level, detail::noise_after_blur(noise, o.smooth_px), ws);
  lesion.not_star_shaped =
      20 * pixels.core_bright > pixels.core_pixels || static_cast<double>(hole.area) > 1.1 * visible;
  lesion.background_not_resolved = background.reason != Reason::none;
  lesion.sbr = lesion_sbr(pixels, background, o);
  fill_thickness(lesion, rays, o);
  lesion.confidence = confidence_of(lesion, rim_level, ray_options.core_level, background.level, noise);
  return true;
}

}  // namespace

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
  const double level = detail::bright_level(background, options.sbr_cut, options.smooth_px);
  for (const detail::Candidate& candidate :
       detail::find_candidates(frame.smooth, level, options.min_area_px, result.rejected, ws)) {
    Lesion lesion;
    lesion.label = static_cast<std::int32_t>(result.lesions.size() + 1);
    if (build_lesion(frame, candidate, background, options, ws, lesion)) {
      result.lesions.push_back(std::move(lesion));
    } else {
      result.rejected.push_back(detail::rejected(Reason::no_enclosed_core, candidate.hole));
    }
  }
  return result;
}

}  // namespace pyicg
