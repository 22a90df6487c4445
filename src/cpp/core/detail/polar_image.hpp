// A lesion's surroundings, unrolled: one column per ray about its centre, one row per radius.
#pragma once

#include <cstddef>
#include <vector>

#include "grey_crop.hpp"

namespace pyicg::detail {

struct PolarImage {
  std::size_t rays = 0;
  std::size_t rows = 0;
  double step = 0;  // px from row to row
  std::vector<double> values;
  [[nodiscard]] const double* ray(std::size_t k) const { return values.data() + k * rows; }
  [[nodiscard]] double operator()(std::size_t ray, std::size_t row) const { return values[ray * rows + row]; }
};

// Rays at the angles 2 pi k / rays from +x towards +y, from the centre out to reach_px.
void unroll(const GreyCrop& image, std::size_t rays, double reach_px, double step_px, PolarImage& polar);

}  // namespace pyicg::detail
