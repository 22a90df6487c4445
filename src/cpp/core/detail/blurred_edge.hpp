// A step along a curved line, blurred by a Gaussian.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace pyicg::detail {

// Five-point Gauss-Hermite rule for the mean over a normal distribution: places in units of sigma.
inline constexpr std::array<double, 5> blur_nodes{-2.8569700138728056, -1.3556261799742659, 0.0, 1.3556261799742659,
                                                  2.8569700138728056};

struct EdgeValue {
  double level;     // 0 far inside, 1 far outside
  double position;  // derivative by the distance from the edge
  double blur;      // derivative by the sigma of the blur
};

// The standard normal distribution as the kernels look it up, see kernels/rim_profile.hpp. Made once.
const std::vector<double>& normal_table();

// At a signed distance outside the tangent of an edge blurred by sigma. `falls` says how far the edge lies inside its
// tangent at blur_nodes x sigma along it; a curve of radius R has falls of x^2/(2 R). The level is the mean, over the
// blur along the edge, of the blur across it, so that the half level lies about sigma^2/(2 R) inside a curved edge.
EdgeValue blurred_edge(double distance, const std::array<double, 5>& falls, double sigma);

}  // namespace pyicg::detail
