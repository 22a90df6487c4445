#include "polar_image.hpp"

#include <cmath>
#include <numbers>

namespace pyicg::detail {

PolarImage unroll(const GreyCrop& image, std::size_t rays, double reach_px, double step_px) {
  PolarImage polar{rays, static_cast<std::size_t>(reach_px / step_px) + 1, step_px, {}};
  polar.values.reserve(rays * polar.rows);
  for (std::size_t k = 0; k < rays; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(rays);
    const double dy = std::sin(angle);
    const double dx = std::cos(angle);
    for (std::size_t i = 0; i < polar.rows; ++i) {
      const double r = step_px * static_cast<double>(i);
      polar.values.push_back(image.at(r * dy, r * dx));
    }
  }
  return polar;
}

}  // namespace pyicg::detail
