// Values given on rays about a centre, one per ray at the angle 2 pi k / n from +x towards +y, read between the rays.
#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace pyicg::detail {

inline constexpr std::size_t most_rays = 360;  // about a lesion

struct BetweenRays {
  std::size_t before, after;
  double share;  // of the way from the ray before to the one after
};

// `position` counts in rays from the first one on; not negative.
inline BetweenRays rays_at(double position, std::size_t n) {
  const auto k = static_cast<std::size_t>(position);
  return {k % n, (k + 1) % n, position - static_cast<double>(k)};
}

// The rays on either side of a point, given relative to the centre.
inline BetweenRays rays_towards(double y, double x, std::size_t n) {
  const double turn = std::atan2(y, x) / (2 * std::numbers::pi);
  return rays_at((turn < 0 ? turn + 1 : turn) * static_cast<double>(n), n);
}

inline double between(const std::vector<double>& values, const BetweenRays& rays) {
  return (1 - rays.share) * values[rays.before] + rays.share * values[rays.after];
}

}  // namespace pyicg::detail
