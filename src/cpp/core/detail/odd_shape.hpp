// Lesions whose core cannot be seen along straight rays from one place: plain grey-level contours.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

struct OddShape {
  std::vector<Vertex> inner, outer;
  std::vector<double> inner_slope, outer_slope;  // signal per px across the contour, at each vertex
  std::vector<double> thickness;                 // px from each inner vertex to the nearest outer one
  std::vector<double> peak;                      // highest signal on the way there
};

// The contour at `level` around the dark region of pixel (y, x), and the one half way between the rim there and
// `outside` around the bright region at it. Empty where either reaches the frame's border.
std::optional<OddShape> trace_odd_shape(ImageView<const float> smooth, std::size_t y, std::size_t x, double level,
                                        double outside);

double polygon_area(const std::vector<Vertex>& contour);
Vertex polygon_centroid(const std::vector<Vertex>& contour);

// From a pixel's centre to the nearest vertex, px.
double distance_to(const std::vector<Vertex>& contour, std::size_t y, std::size_t x);

// Area of what straight lines from a place inside reach before they leave the contour.
double seen_area(const std::vector<Vertex>& contour, double y, double x);

// Calls visit(y, x) for every pixel whose centre lies inside the contour, row by row.
template <class Visit>
void visit_inside(const std::vector<Vertex>& contour, std::size_t height, std::size_t width, const Visit& visit) {
  std::vector<double> crossings;
  for (std::size_t y = 0; y < height; ++y) {
    const auto row = static_cast<double>(y);
    crossings.clear();
    for (std::size_t i = 0; i < contour.size(); ++i) {
      const Vertex& a = contour[i];
      const Vertex& b = contour[(i + 1) % contour.size()];
      if ((a.y <= row) != (b.y <= row)) crossings.push_back(a.x + (row - a.y) / (b.y - a.y) * (b.x - a.x));
    }
    std::sort(crossings.begin(), crossings.end());
    for (std::size_t i = 0; i + 1 < crossings.size(); i += 2) {
      const double from = std::max(std::ceil(crossings[i]), 0.0);
      for (auto x = static_cast<std::size_t>(from); x < width && static_cast<double>(x) < crossings[i + 1]; ++x)
        visit(y, x);
    }
  }
}

}  // namespace pyicg::detail
