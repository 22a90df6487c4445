// What a traced lesion and one that is not star-shaped have in common: the frame, its pixels' levels, and the figures
// made of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

struct Frame {
  ImageView<const float> data;
  ImageView<const std::uint8_t> mask;
  ImageView<const float> smooth;
};

// Saturated pixels stay, as lower bounds.
inline bool left_out(const Frame& f, std::size_t y, std::size_t x) {
  return (f.mask(y, x) & mask_left_out & ~mask_saturated) != 0;
}

struct Box {
  std::size_t y0, x0, y1, x1;  // first row and column, and one past the last
};

// Of the pixels within `reach` of a place, cut to the frame.
Box box_about(const Frame& f, double y, double x, double reach);

// What the pixels of one lesion say.
struct PixelStats {
  void clear() {
    rim.clear();
    core.clear();
    core_bright = saturated = 0;
  }

  std::vector<float> rim;       // the middle half of the rim
  std::vector<float> core;      // the core without its blurred edge
  std::size_t core_bright = 0;  // of these, over the SBR cut
  std::size_t saturated = 0;    // of the rim's
};

// Rim over background and rim over core.
void fill_contrast(Lesion& lesion, const PixelStats& s, const Background& background, const RimOptions& o);

// Mean thickness and area with the uncertainty of the boundaries, in px and mm^2. Needs contours, their sigmas and
// correlation length, and the thickness.
void fill_sizes(Lesion& lesion, const RimOptions& o);

}  // namespace pyicg::detail
