// The normals of a rim's boundary, along which its place is measured.
#pragma once

#include <array>
#include <vector>

#include "blurred_edge.hpp"

namespace pyicg::detail {

struct ContourNormal {                          // of one vertex
  double y, x;                                  // the vertex, relative to the centre
  double dy, dx;                                // outward normal
  std::array<double, blur_nodes.size()> falls;  // of the contour under its tangent, see blurred_edge
  double arc;                                   // length of contour that the vertex stands for
  double slant;                                 // cosine between ray and normal
  double other;                                 // distance to the other boundary along the normal
};

// Of the boundary `own`, seen through a blur of sigma_px. Both are radii about a centre, as in RimRadii. `inner`: own
// is the inner one, other lies outside of it.
std::vector<ContourNormal> contour_normals(const std::vector<double>& own, const std::vector<double>& other, bool inner,
                                           double sigma_px);

}  // namespace pyicg::detail
