// Lesions whose core cannot be seen along straight rays from one place: plain grey-level contours.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "isoline.hpp"
#include "nearest_vertex.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

struct OddShape {
  std::vector<Vertex> inner, outer;
  std::vector<double> inner_slope, outer_slope;  // signal per px across the contour, at each vertex
  std::vector<double> thickness;                 // px from each inner vertex to the nearest outer one
  std::vector<double> peak;                      // highest signal on the way there
};

// Where a contour crosses the rows of a frame, per row from left to right.
struct RowCrossings {
  std::size_t first_row = 0;
  std::vector<std::size_t> begin;  // of each row from first_row on, and one more
  std::vector<double> x;
  std::vector<std::size_t> next;  // to be filled, of each row
};

// What is reused between shapes.
struct OddBuffers {
  OddShape shape;
  std::vector<PixelSide> sides;
  RowCrossings rows;
  NearestVertex inner, outer;
  std::vector<double> across;  // of vertices to a ray
  std::vector<float> core, values;
};

// The contour at `level` around the dark region of pixel (y, x), and the one half way between the rim there and
// `outside` around the bright region at it; no more. False where either reaches the frame's border.
bool trace_odd_shape(ImageView<const float> smooth, std::size_t y, std::size_t x, double level, double outside,
                     OddBuffers& buffers);
void find_peaks(ImageView<const float> smooth, OddBuffers& buffers);  // and thickness
void find_slopes(ImageView<const float> smooth, OddShape& shape);

double polygon_area(const std::vector<Vertex>& contour);
Vertex polygon_centroid(const std::vector<Vertex>& contour);

// Area of what straight lines from a place inside reach before they leave the contour.
double seen_area(const std::vector<Vertex>& contour, double y, double x, std::vector<double>& across);

void find_crossings(const std::vector<Vertex>& contour, std::size_t height, RowCrossings& rows);

// Calls visit(y, x) for every pixel whose centre lies inside the contour, row by row.
template <class Visit>
void visit_inside(const std::vector<Vertex>& contour, std::size_t height, std::size_t width, RowCrossings& rows,
                  const Visit& visit) {
  find_crossings(contour, height, rows);
  for (std::size_t k = 0; k + 1 < rows.begin.size(); ++k) {
    for (std::size_t i = rows.begin[k]; i + 1 < rows.begin[k + 1]; i += 2) {
      const double from = std::max(std::ceil(rows.x[i]), 0.0);
      for (auto x = static_cast<std::size_t>(from); x < width && static_cast<double>(x) < rows.x[i + 1]; ++x)
        visit(rows.first_row + k, x);
    }
  }
}

}  // namespace pyicg::detail
