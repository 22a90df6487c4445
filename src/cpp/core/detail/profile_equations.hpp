// Normal equations of the profiles that a rim is fitted with, one set per ray.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "../../kernels/rim_profile.hpp"

namespace pyicg::detail {

struct Equations {
  // What a profile along a normal is fitted with: levels of core, rim and outside, place of the other boundary's edge
  // and of this one's, the rim's slope across it (its level is that at the edge), blur. The rest of the signal is a
  // column of its own, so that (rest, rest) is the sum of its squares.
  enum Column : std::size_t { core, rim, outside, beyond, place, slope, blur, rest, columns };
  static_assert(columns == kernels::profile_columns);

  std::array<double, columns * columns> sums{};  // of products

  double& operator()(std::size_t i, std::size_t j) { return sums[i * columns + j]; }
  double operator()(std::size_t i, std::size_t j) const { return sums[i * columns + j]; }
};

// Gauss elimination of the unknowns from `first` up to `last`: what is left below them, from the diagonal on, are the
// equations of the others.
void eliminate(Equations& e, std::size_t first, std::size_t last);

// Means over neighbours on the closed contour: two running boxes, together about a Gaussian of `width` rays. `scratch`
// is reused between calls.
void average(const std::vector<Equations>& equations, double width, std::vector<Equations>& scratch,
             std::vector<Equations>& means);

}  // namespace pyicg::detail
