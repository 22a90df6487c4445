#include "boundary.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

constexpr double step_px = 0.25;
constexpr double outside_px = 3;

double outside_skip(const RayOptions& o) {
  return std::isnan(o.total_sigma) ? 3.0 : std::max(3.0, 3.0 * o.total_sigma);
}

double bilinear(ImageView<const float> image, double y, double x) {
  const double max_y = static_cast<double>(image.height - 1);
  const double max_x = static_cast<double>(image.width - 1);
  if (!(y >= 0 && y <= max_y && x >= 0 && x <= max_x)) return nan;
  const auto y0 = std::min(static_cast<std::size_t>(y), image.height > 1 ? image.height - 2 : 0);
  const auto x0 = std::min(static_cast<std::size_t>(x), image.width > 1 ? image.width - 2 : 0);
  const std::size_t y1 = std::min(y0 + 1, image.height - 1);
  const std::size_t x1 = std::min(x0 + 1, image.width - 1);
  const double fy = y - static_cast<double>(y0);
  const double fx = x - static_cast<double>(x0);
  const double top = (1 - fx) * static_cast<double>(image(y0, x0)) + fx * static_cast<double>(image(y0, x1));
  const double bottom = (1 - fx) * static_cast<double>(image(y1, x0)) + fx * static_cast<double>(image(y1, x1));
  return (1 - fy) * top + fy * bottom;
}

// Where the profile crosses `level` between samples i and i + 1.
double crossing(const std::vector<double>& profile, std::size_t i, double level) {
  return (static_cast<double>(i) + (level - profile[i]) / (profile[i + 1] - profile[i])) * step_px;
}

// A disc of radius R blurred by a Gaussian of width s, at radius r near its edge: the normal distribution function at
// (R - s^2/(2R) - r)/s, to first order in s/R (the second term is the edge's shift towards the centre of curvature).
double blurred_disc(double radius, double r, double s) {
  return 0.5 * std::erfc(-(radius - s * s / (2 * radius) - r) / (s * std::numbers::sqrt2));
}

// The radial profile of a blurred rim.
struct RimModel {
  double inner, outer, core, rim, outside, sigma;
  double operator()(double r) const {
    return rim + (core - rim) * blurred_disc(inner, r, sigma) + (outside - rim) * (1 - blurred_disc(outer, r, sigma));
  }
};

// Peak and half-level crossings of a profile, in px from its first sample, and the level outside. False: no rim.
bool measure(const std::vector<double>& profile, const RayOptions& o, Ray& ray, double& outside) {
  const std::size_t n = profile.size();
  std::size_t start = 0;
  while (start < n && !(profile[start] > o.threshold)) ++start;
  if (start == n || start == 0) return false;
  ray.dark = static_cast<double>(start) * step_px;
  std::size_t end = start;
  std::size_t top = start;
  // A run under its own half level is over: what glows beyond it is a neighbour's rim.
  while (end < n && profile[end] > std::max(o.threshold, 0.5 * (o.core_level + profile[top]))) {
    if (profile[end] > profile[top]) top = end;
    ++end;
  }
  // The plateau, not its highest noise: mean of the middle half of the run, unless the run has no plateau.
  const std::size_t quarter = (end - start) / 4;
  double plateau = 0;
  for (std::size_t i = start + quarter; i < end - quarter; ++i) plateau += profile[i];
  plateau /= static_cast<double>(end - start - 2 * quarter);
  ray.peak = std::max(plateau, 0.95 * profile[top]);
  if (!(ray.peak > o.core_level)) return false;

  const double inner_level = 0.5 * (o.core_level + ray.peak);
  std::size_t i = top;
  while (i > 0 && !(profile[i - 1] < inner_level)) --i;
  if (i == 0) return false;
  ray.inner = crossing(profile, i - 1, inner_level);
  const std::size_t before = i >= 3 ? i - 3 : 0;
  const std::size_t after = std::min(i + 2, n - 1);
  ray.slope = (profile[after] - profile[before]) / (static_cast<double>(after - before) * step_px);

  // Level outside: the mean over 3 px that begin 3 px past the end of the bright run (or past three widths of blur).
  const auto from = end + static_cast<std::size_t>(outside_skip(o) / step_px);
  const auto to = std::min(from + static_cast<std::size_t>(outside_px / step_px), n);
  if (from >= to) {
    ray.clipped = true;
    ray.outer = static_cast<double>(end - 1) * step_px;
    return true;
  }
  outside = 0;
  for (std::size_t k = from; k < to; ++k) outside += profile[k];
  outside = std::min(outside / static_cast<double>(to - from), o.threshold);
  const double outer_level = 0.5 * (outside + ray.peak);
  std::size_t j = top;
  while (j + 1 < n && !(profile[j + 1] < outer_level)) ++j;
  if (j + 1 >= n) {
    ray.clipped = true;
    ray.outer = static_cast<double>(n - 1) * step_px;
    return true;
  }
  ray.outer = crossing(profile, j, outer_level);
  return true;
}

// The half level of a curved, blurred rim lies off its edge, and its peak off its level. The same measurement made on
// the model of a rim tells by how much; a few rounds settle it.
void correct_for_blur(Ray& ray, double outside, const RayOptions& o, std::vector<double>& profile) {
  // Bilinear interpolation between pixels blurs too, by f (1 - f) px^2 at a fraction f of a pixel: 1/6 on average.
  const double sigma = std::sqrt(o.total_sigma * o.total_sigma + 1.0 / 6.0);
  RimModel model{ray.inner, ray.outer, o.core_level, ray.peak, outside, sigma};
  for (int round = 0; round < 8; ++round) {
    if (!(model.inner > 2 * sigma) || !(model.outer - model.inner > sigma)) return;  // the model does not hold there
    const auto first = static_cast<std::size_t>(std::max(model.inner - 5 * sigma, 0.0) / step_px);
    const auto last = static_cast<std::size_t>((model.outer + 5 * sigma + outside_skip(o) + outside_px) / step_px);
    profile.clear();
    for (std::size_t k = first; k <= last; ++k) profile.push_back(model(static_cast<double>(k) * step_px));
    Ray seen;
    double seen_outside = outside;
    if (!measure(profile, o, seen, seen_outside) || seen.clipped) return;
    const double begin = static_cast<double>(first) * step_px;
    model.inner += ray.inner - (begin + seen.inner);
    model.outer += ray.outer - (begin + seen.outer);
    model.rim += ray.peak - seen.peak;
    model.outside += outside - seen_outside;
  }
  if (model.inner > 0 && model.outer > model.inner) {
    ray.inner = model.inner;
    ray.outer = model.outer;
  }
}

Ray trace(std::vector<double>& profile, const RayOptions& o) {
  Ray ray;
  double outside = 0;
  ray.found = measure(profile, o, ray, outside);
  ray.over_cut = ray.found && ray.peak > o.cut;
  if (ray.found && !ray.clipped && !std::isnan(o.total_sigma)) correct_for_blur(ray, outside, o, profile);
  return ray;
}

void fill_gaps(std::vector<Ray>& rays) {
  const std::size_t n = rays.size();
  std::vector<std::size_t> known;
  for (std::size_t k = 0; k < n; ++k) {
    if (rays[k].found) known.push_back(k);
  }
  for (std::size_t a = 0; a < known.size(); ++a) {
    const std::size_t left = known[a];
    const std::size_t right = a + 1 < known.size() ? known[a + 1] : known[0] + n;
    const auto apart = static_cast<double>(std::max<std::size_t>(right - left, 1));
    for (std::size_t k = left + 1; k < right; ++k) {
      const double share = static_cast<double>(k - left) / apart;
      Ray& ray = rays[k % n];
      ray.inner = (1 - share) * rays[left].inner + share * rays[right % n].inner;
      ray.outer = (1 - share) * rays[left].outer + share * rays[right % n].outer;
    }
  }
}

}  // namespace

std::vector<Ray> trace_rays(ImageView<const float> smooth, double centre_y, double centre_x, std::size_t n,
                            const RayOptions& options) {
  std::vector<Ray> rays(n);
  std::vector<double> profile;
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    const double dy = std::sin(angle);
    const double dx = std::cos(angle);
    profile.clear();
    const auto steps = static_cast<std::size_t>(options.reach_px / step_px);
    for (std::size_t i = 0; i <= steps; ++i) {
      const double r = static_cast<double>(i) * step_px;
      const double v = bilinear(smooth, centre_y + r * dy, centre_x + r * dx);
      if (std::isnan(v)) break;
      profile.push_back(v);
    }
    rays[k] = trace(profile, options);
  }
  fill_gaps(rays);
  return rays;
}

}  // namespace pyicg::detail
