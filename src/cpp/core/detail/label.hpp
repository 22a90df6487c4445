// Connected components by union-find on runs of equal pixels in a row.
#pragma once

#include <cstdint>
#include <vector>

#include "pyicg/image_view.hpp"

namespace pyicg::detail {

struct Component {
  std::size_t area = 0;
  double sum_y = 0;
  double sum_x = 0;
  std::size_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;  // bounding box, inclusive
  bool touches_border = false;

  [[nodiscard]] double centroid_y() const { return sum_y / static_cast<double>(area); }
  [[nodiscard]] double centroid_x() const { return sum_x / static_cast<double>(area); }
};

enum class Connectivity { four, eight };

// Labels the pixels of `pixels` equal to `value`: 1, 2, ... in order of their first pixel; 0 elsewhere. Component k - 1
// describes label k.
std::vector<Component> label_components(ImageView<const std::uint8_t> pixels, std::uint8_t value,
                                        Connectivity connectivity, ImageView<std::int32_t> labels);

}  // namespace pyicg::detail
