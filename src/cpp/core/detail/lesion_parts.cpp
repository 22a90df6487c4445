#include "lesion_parts.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "odd_shape.hpp"
#include "pyicg/measurement.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

Measurement ratio(std::span<const float> signal, const Background& below, const PixelStats& s, Reason carried) {
  const Moments m = moments(signal);
  if (m.n < 2) return Measurement::undefined(Reason::too_few_pixels);
  Measurement found = signal_ratio(m.mean, m.sd / std::sqrt(static_cast<double>(m.n)), below);
  if (found.reason == Reason::none) found.reason = carried;
  if (s.saturated > 0 && !std::isnan(found.value)) {
    found.hi = infinity;
    found.reason = Reason::saturated_lower_bound;
  }
  return found;
}

double mean_square(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return sum / static_cast<double>(values.size());
}

// Where there is a rim whose thickness is known. A contour with vertices of its own, of a core that is not star-shaped,
// counts as a whole.
double mean_square_of_rim(const std::vector<double>& values, const std::vector<double>& thickness) {
  if (values.size() != thickness.size()) return mean_square(values);
  double sum = 0;
  std::size_t known = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (std::isnan(thickness[k])) continue;
    sum += values[k] * values[k];
    ++known;
  }
  return sum / static_cast<double>(known);
}

}  // namespace

Box box_about(const Frame& f, double y, double x, double reach) {
  const auto low = [&](double c) { return static_cast<std::size_t>(std::max(0.0, std::floor(c - reach))); };
  const auto high = [&](double c, std::size_t n) {
    return std::min(n, static_cast<std::size_t>(std::max(0.0, c + reach)) + 2);
  };
  return {low(y), low(x), high(y, f.data.height), high(x, f.data.width)};
}

void fill_contrast(Lesion& lesion, const PixelStats& s, const Background& background, const RimOptions& o) {
  lesion.sbr = ratio(s.rim, background, s, o.carried);
  const Moments core = moments(s.core);
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
  const Moments rim = moments(s.rim);
  lesion.core_depth = rim.n > 0 && rim.mean > 0 ? 1 - core.mean / rim.mean : nan;
  lesion.saturated = s.saturated > 0;
  lesion.core_bright = static_cast<double>(s.core_bright) / static_cast<double>(core.n);
}

void fill_sizes(Lesion& lesion, const RimOptions& o) {
  double sum = 0;
  double known = 0;
  for (const double t : lesion.thickness) {
    if (std::isnan(t)) continue;
    sum += t;
    ++known;
  }
  lesion.area_px = polygon_area(lesion.inner);
  const Vertex middle = polygon_centroid(lesion.inner);
  lesion.centroid_y = middle.y;
  lesion.centroid_x = middle.x;
  const double length = 2 * std::sqrt(std::numbers::pi * lesion.area_px);
  // Rays closer together than the correlation length say the same thing: count independent ones only.
  const double measured = length * known / static_cast<double>(lesion.thickness.size());
  const double independent = std::clamp(measured / lesion.correlation_px, 1.0, std::max(known, 1.0));
  const double variance = mean_square_of_rim(lesion.inner_sigma, lesion.thickness) +
                          mean_square_of_rim(lesion.outer_sigma, lesion.thickness);
  lesion.mean_thickness = known > 0 ? normal_measurement(sum / known, std::sqrt(variance / independent))
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

}  // namespace pyicg::detail
