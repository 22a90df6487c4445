// A frame at ever coarser scales: each level holds the means of 2 x 2 pixels of the one before.
#pragma once

#include <cstddef>
#include <vector>

#include "pyicg/image_view.hpp"

namespace pyicg::detail {

struct PyramidLevel {
  std::vector<float> values;
  std::size_t height = 0;
  std::size_t width = 0;

  [[nodiscard]] ImageView<const float> view() const { return {values.data(), height, width}; }
};

// Means of the pixels that are not NaN; NaN where all four are. An odd last row or column is paired with nothing.
void halve(ImageView<const float> fine, PyramidLevel& coarse);

// Where a coordinate of level j lies in the full frame: the centre of its 2^j x 2^j pixels.
inline double from_level(double position, double factor) { return (position + 0.5) * factor - 0.5; }

}  // namespace pyicg::detail
