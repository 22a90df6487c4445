#include "odd_shape.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "isoline.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

constexpr double slope_reach_px = 0.5;
constexpr std::size_t least_vertices = 8;

double bilinear(ImageView<const float> image, double y, double x) {
  const double max_y = static_cast<double>(image.height - 1);
  const double max_x = static_cast<double>(image.width - 1);
  if (!(y >= 0 && y < max_y && x >= 0 && x < max_x)) return nan;
  const auto y0 = static_cast<std::size_t>(y);
  const auto x0 = static_cast<std::size_t>(x);
  const double fy = y - static_cast<double>(y0);
  const double fx = x - static_cast<double>(x0);
  const auto at = [&](std::size_t a, std::size_t b) { return static_cast<double>(image(a, b)); };
  return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) +
         fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1));
}

}  // namespace

double polygon_area(const std::vector<Vertex>& contour) {
  double twice = 0;
  for (std::size_t i = 0; i < contour.size(); ++i) {
    const Vertex& a = contour[i];
    const Vertex& b = contour[(i + 1) % contour.size()];
    twice += a.x * b.y - b.x * a.y;
  }
  return 0.5 * std::fabs(twice);
}

double distance_to(const std::vector<Vertex>& contour, std::size_t y, std::size_t x) {
  double nearest = infinity;
  for (const Vertex& v : contour) {
    nearest = std::min(nearest, std::hypot(v.y - static_cast<double>(y), v.x - static_cast<double>(x)));
  }
  return nearest;
}

double seen_area(const std::vector<Vertex>& contour, double y, double x) {
  constexpr std::size_t rays = 128;
  double area = 0;
  for (std::size_t k = 0; k < rays; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(rays);
    const double dy = std::sin(angle);
    const double dx = std::cos(angle);
    double nearest = infinity;
    for (std::size_t i = 0; i < contour.size(); ++i) {
      const Vertex& a = contour[i];
      const Vertex& b = contour[(i + 1) % contour.size()];
      // Sides of the ray's line on which a and b lie, and where along it their edge crosses.
      const double side_a = (a.x - x) * dy - (a.y - y) * dx;
      const double side_b = (b.x - x) * dy - (b.y - y) * dx;
      if ((side_a <= 0) == (side_b <= 0)) continue;
      const double share = side_a / (side_a - side_b);
      const double along = (a.x + share * (b.x - a.x) - x) * dx + (a.y + share * (b.y - a.y) - y) * dy;
      if (along > 0) nearest = std::min(nearest, along);
    }
    if (std::isfinite(nearest)) area += std::numbers::pi * nearest * nearest / static_cast<double>(rays);
  }
  return area;
}

Vertex polygon_centroid(const std::vector<Vertex>& contour) {
  const Vertex origin = contour.front();  // about a vertex: far from the frame's corner nothing cancels
  double twice = 0;
  Vertex moment;
  for (std::size_t i = 0; i < contour.size(); ++i) {
    const Vertex a{contour[i].y - origin.y, contour[i].x - origin.x};
    const Vertex& next = contour[(i + 1) % contour.size()];
    const Vertex b{next.y - origin.y, next.x - origin.x};
    const double part = a.x * b.y - b.x * a.y;
    twice += part;
    moment.y += part * (a.y + b.y) / 3;
    moment.x += part * (a.x + b.x) / 3;
  }
  if (twice == 0) return origin;
  return {origin.y + moment.y / twice, origin.x + moment.x / twice};
}

std::optional<OddShape> trace_odd_shape(ImageView<const float> smooth, std::size_t y, std::size_t x, double level,
                                        double outside) {
  OddShape shape;
  shape.inner = outline(smooth, level, y, x);
  if (shape.inner.size() < least_vertices) return std::nullopt;
  // The brightest pixel beside the contour's first vertex belongs to the rim.
  const Vertex& first = shape.inner.front();
  const auto low = [](double c) { return static_cast<std::size_t>(std::max(0.0, std::floor(c - 1))); };
  std::size_t rim_y = low(first.y);
  std::size_t rim_x = low(first.x);
  for (std::size_t a = low(first.y); a < std::min(smooth.height, low(first.y) + 4); ++a) {
    for (std::size_t b = low(first.x); b < std::min(smooth.width, low(first.x) + 4); ++b) {
      if (smooth(a, b) > smooth(rim_y, rim_x)) {
        rim_y = a;
        rim_x = b;
      }
    }
  }
  shape.outer =
      outline(smooth, std::max(level, 0.5 * (outside + static_cast<double>(smooth(rim_y, rim_x)))), rim_y, rim_x);
  if (shape.outer.size() < least_vertices || polygon_area(shape.outer) <= polygon_area(shape.inner))
    return std::nullopt;
  const auto slope_at = [&](const Vertex& v) {
    const double dy = bilinear(smooth, v.y + slope_reach_px, v.x) - bilinear(smooth, v.y - slope_reach_px, v.x);
    const double dx = bilinear(smooth, v.y, v.x + slope_reach_px) - bilinear(smooth, v.y, v.x - slope_reach_px);
    return std::hypot(dy, dx) / (2 * slope_reach_px);
  };
  for (const Vertex& v : shape.outer) shape.outer_slope.push_back(slope_at(v));
  for (const Vertex& v : shape.inner) {
    shape.inner_slope.push_back(slope_at(v));
    const Vertex* nearest = &shape.outer.front();
    for (const Vertex& o : shape.outer) {
      if (std::hypot(o.y - v.y, o.x - v.x) < std::hypot(nearest->y - v.y, nearest->x - v.x)) nearest = &o;
    }
    shape.thickness.push_back(std::hypot(nearest->y - v.y, nearest->x - v.x));
    double peak = -infinity;
    for (int i = 0; i <= 8; ++i) {
      const double share = i / 8.0;
      peak = std::max(peak, bilinear(smooth, v.y + share * (nearest->y - v.y), v.x + share * (nearest->x - v.x)));
    }
    shape.peak.push_back(peak);
  }
  return shape;
}

}  // namespace pyicg::detail
