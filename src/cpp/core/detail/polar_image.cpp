#include "polar_image.hpp"

#include <cmath>
#include <numbers>
#include <span>

namespace pyicg::detail {

void unroll(const GreyCrop& image, std::size_t rays, double reach_px, double step_px, PolarImage& polar) {
  polar.rays = rays;
  polar.rows = static_cast<std::size_t>(reach_px / step_px) + 1;
  polar.step = step_px;
  polar.values.resize(rays * polar.rows);
  for (std::size_t k = 0; k < rays; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(rays);
    image.along({0, 0, std::sin(angle), std::cos(angle), step_px, 0},
                std::span(polar.values).subspan(k * polar.rows, polar.rows));
  }
}

}  // namespace pyicg::detail
