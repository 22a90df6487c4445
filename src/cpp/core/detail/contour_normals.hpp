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
};

// Unit vectors along the rays of RimRadii.
struct RayDirections {
  void set(std::size_t n);
  std::vector<double> y, x;
};

// Of the boundary `own`, radii about a centre along the rays, seen through a blur of sigma_px.
void set_normals(const std::vector<double>& own, const RayDirections& rays, double sigma_px,
                 std::vector<ContourNormal>& normals);

// Distance to the boundary `other` along the normal of vertex k of the boundary `own`. `inner`: own is the inner one,
// other lies outside of it.
double distance_to_other(const std::vector<double>& own, const ContourNormal& normal, std::size_t k,
                         const std::vector<double>& other, bool inner);

}  // namespace pyicg::detail
