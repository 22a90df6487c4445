// Grey-level contour of one region by marching squares.
#pragma once

#include <cstddef>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

// A side between a pixel of a region and its neighbour in direction `facing` (+x, +y, -x, -y), which does not belong to
// it.
struct PixelSide {
  std::ptrdiff_t y, x;
  std::size_t facing;
  bool operator==(const PixelSide&) const = default;
};

// The closed line at `level` around the region of pixel (y, x): its 4-connected neighbours on the same side of the
// level (below, or not below). Only the outer boundary: holes are passed over. The other side counts as 8-connected, so
// in a cell whose corners alternate the line cuts the region's two corners off from each other. One vertex per grid
// edge crossed, linear between the pixel centres, in order of increasing angle (+x towards +y). No two vertices are the
// same, and the line does not cross itself: a pixel that lies on the level moves it by a millionth of a pixel.
//
// Empty where (y, x) is outside the frame or not finite, where the region touches the frame's border, and where a pixel
// that is not finite lies beside the line. `sides` is reused between calls.
void outline(ImageView<const float> image, double level, std::size_t y, std::size_t x, std::vector<PixelSide>& sides,
             std::vector<Vertex>& line);

}  // namespace pyicg::detail
