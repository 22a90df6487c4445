// Gradients of a frame, and where they count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/image_view.hpp"

namespace pyicg::detail {

struct Gradient {
  float y = 0;
  float x = 0;
};

// From the smoothed differences (1 2 1) x (-1 0 1) / 8; 0 on the border of the frame, NaN beside a NaN.
inline Gradient gradient_at(ImageView<const float> image, std::size_t y, std::size_t x) {
  if (y == 0 || x == 0 || y + 1 >= image.height || x + 1 >= image.width) return {};
  const float* a = image.row(y - 1) + x - 1;
  const float* b = image.row(y) + x - 1;
  const float* c = image.row(y + 1) + x - 1;
  const float down = (c[0] - a[0]) + (c[2] - a[2]) + 2 * (c[1] - a[1]);
  const float across = (a[2] - a[0]) + (c[2] - c[0]) + 2 * (b[2] - b[0]);
  return {0.125F * down, 0.125F * across};
}

// Standard deviation of one component where nothing is but noise, from the lower quartile of the lengths that are not
// zero; `scratch` is reused. 0 without any.
double gradient_noise(ImageView<const float> image, std::vector<float>& scratch);

// A gradient counts from `threshold` on. Few pixels have one: the others need not be looked at again.
struct EdgeMap {
  ImageView<const float> image;
  double threshold = 0;
  std::vector<std::uint8_t> marked;  // 1: it may count; 0: it does not
};
void mark_edges(ImageView<const float> image, double threshold, EdgeMap& edges);

}  // namespace pyicg::detail
