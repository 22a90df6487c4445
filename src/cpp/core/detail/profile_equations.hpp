// Normal equations of the profiles that a rim is fitted with, one set per ray.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace pyicg::detail {

struct Equations {
  // What a profile along a normal is fitted with: levels of core, rim and outside, place of the other boundary's edge
  // and of this one's, the rim's slope across it (its level is that at the edge), blur.
  enum Unknown : std::size_t { core, rim, outside, beyond, place, slope, blur, unknowns };

  std::array<double, unknowns * unknowns> a{};
  std::array<double, unknowns> b{};
  double squares = 0, n = 0;  // of what is left, samples

  void add(const Equations& e, double w);
};

// Gauss elimination of the unknowns from `first` up to `last`: what is left below them are the equations of the others.
void eliminate(Equations& e, std::size_t first, std::size_t last);

// Means over neighbours on the closed contour: two running boxes, together about a Gaussian of `width` rays.
std::vector<Equations> average(const std::vector<Equations>& equations, double width);

}  // namespace pyicg::detail
