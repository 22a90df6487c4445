// Contours of a binary region, from pixel to pixel along its edge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/threshold_rim.hpp"

namespace pyicg::detail {

enum class BorderKind : std::uint8_t { outer, hole };

// Appends the border of a region whose pixels hang together over corners too: Suzuki & Abe, Computer Vision, Graphics,
// and Image Processing 30 (1985) 32. It starts at (y, x): for an outer border the region's first pixel row by row, for
// a hole the pixel to the left of the hole's first one. A line one pixel wide is walked on both sides.
void follow_border(ImageView<const std::uint8_t> mask, BorderPixel start, BorderKind kind,
                   std::vector<BorderPixel>& border);

}  // namespace pyicg::detail
