#include "odd_shape.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

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

double seen_area(const std::vector<Vertex>& contour, double y, double x, std::vector<double>& across) {
  constexpr std::size_t rays = 128;
  across.resize(contour.size());
  double area = 0;
  for (std::size_t k = 0; k < rays; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(rays);
    const double dy = std::sin(angle);
    const double dx = std::cos(angle);
    // Sides of the ray's line on which the vertices lie, and where along it an edge crosses.
    for (std::size_t i = 0; i < contour.size(); ++i) across[i] = (contour[i].x - x) * dy - (contour[i].y - y) * dx;
    double nearest = infinity;
    double side_a = across.back();
    for (std::size_t i = 0; i < contour.size(); ++i) {
      const double before = side_a;
      side_a = across[i];
      if ((before <= 0) == (side_a <= 0)) continue;
      const Vertex& a = contour[i == 0 ? contour.size() - 1 : i - 1];
      const Vertex& b = contour[i];
      const double share = before / (before - side_a);
      const double along = (a.x + share * (b.x - a.x) - x) * dx + (a.y + share * (b.y - a.y) - y) * dy;
      if (along > 0) nearest = std::min(nearest, along);
    }
    if (std::isfinite(nearest)) area += std::numbers::pi * nearest * nearest / static_cast<double>(rays);
  }
  return area;
}

void find_crossings(const std::vector<Vertex>& contour, std::size_t height, RowCrossings& rows) {
  const auto row_from = [&](double y) {
    return static_cast<std::size_t>(std::clamp(std::ceil(y), 0.0, static_cast<double>(height)));
  };
  // An edge crosses the rows from its upper vertex on, and before its lower one.
  const auto each = [&](const auto& visit) {
    for (std::size_t i = 0; i < contour.size(); ++i) {
      const Vertex& a = contour[i];
      const Vertex& b = contour[i + 1 == contour.size() ? 0 : i + 1];
      const std::size_t end = row_from(std::max(a.y, b.y));
      for (std::size_t y = row_from(std::min(a.y, b.y)); y < end; ++y) visit(y, a, b);
    }
  };
  std::size_t end_row = 0;
  rows.first_row = height;
  for (const Vertex& v : contour) {
    rows.first_row = std::min(rows.first_row, row_from(v.y));
    end_row = std::max(end_row, row_from(v.y));
  }
  rows.begin.assign(end_row - rows.first_row + 1, 0);
  each([&](std::size_t y, const Vertex&, const Vertex&) { ++rows.begin[y - rows.first_row + 1]; });
  for (std::size_t k = 1; k < rows.begin.size(); ++k) rows.begin[k] += rows.begin[k - 1];
  rows.x.resize(rows.begin.back());
  rows.next.assign(rows.begin.begin(), rows.begin.end() - 1);
  each([&](std::size_t y, const Vertex& a, const Vertex& b) {
    rows.x[rows.next[y - rows.first_row]++] = a.x + (static_cast<double>(y) - a.y) / (b.y - a.y) * (b.x - a.x);
  });
  for (std::size_t k = 0; k + 1 < rows.begin.size(); ++k) {
    std::sort(rows.x.begin() + static_cast<std::ptrdiff_t>(rows.begin[k]),
              rows.x.begin() + static_cast<std::ptrdiff_t>(rows.begin[k + 1]));
  }
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

bool trace_odd_shape(ImageView<const float> smooth, std::size_t y, std::size_t x, double level, double outside,
                     OddBuffers& buffers) {
  OddShape& shape = buffers.shape;
  outline(smooth, level, y, x, buffers.sides, shape.inner);
  if (shape.inner.size() < least_vertices) return false;
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
  const double half_way = 0.5 * (outside + static_cast<double>(smooth(rim_y, rim_x)));
  outline(smooth, std::max(level, half_way), rim_y, rim_x, buffers.sides, shape.outer);
  return shape.outer.size() >= least_vertices && polygon_area(shape.outer) > polygon_area(shape.inner);
}

void find_slopes(ImageView<const float> smooth, OddShape& shape) {
  const auto slope_at = [&](const Vertex& v) {
    const double dy = bilinear(smooth, v.y + slope_reach_px, v.x) - bilinear(smooth, v.y - slope_reach_px, v.x);
    const double dx = bilinear(smooth, v.y, v.x + slope_reach_px) - bilinear(smooth, v.y, v.x - slope_reach_px);
    return std::hypot(dy, dx) / (2 * slope_reach_px);
  };
  shape.inner_slope.clear();
  shape.outer_slope.clear();
  for (const Vertex& v : shape.inner) shape.inner_slope.push_back(slope_at(v));
  for (const Vertex& v : shape.outer) shape.outer_slope.push_back(slope_at(v));
}

void find_peaks(ImageView<const float> smooth, OddBuffers& buffers) {
  OddShape& shape = buffers.shape;
  shape.thickness.clear();
  shape.peak.clear();
  buffers.outer.search(shape.outer);
  for (const Vertex& v : shape.inner) {
    const auto [index, distance] = buffers.outer(v.y, v.x);
    const Vertex& nearest = shape.outer[index];
    shape.thickness.push_back(distance);
    double peak = -infinity;
    for (int i = 0; i <= 8; ++i) {
      const double share = i / 8.0;
      peak = std::max(peak, bilinear(smooth, v.y + share * (nearest.y - v.y), v.x + share * (nearest.x - v.x)));
    }
    shape.peak.push_back(peak);
  }
}

}  // namespace pyicg::detail
