// How thick a region is by angle: twice the largest distance to its edge along each ray.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "pyicg/image_view.hpp"
#include "pyicg/threshold_rim.hpp"
#include "runs.hpp"

namespace pyicg::detail {

class RayThickness {
 public:
  RayThickness();

  // `distances` are those inside a region (0 elsewhere), in its box; `runs` the region's pixels, in the frame whose
  // pixel (y0, x0) is the box's first. Rays start at (height / 2, width / 2) of the box and are looked at pixel by
  // pixel, linear between pixel centres, as far as those reach.
  void measure(ImageView<const float> distances, std::span<const Run> runs, std::size_t y0, std::size_t x0,
               std::span<float, thickness_rays> thickness) const;

 private:
  struct Direction {
    double y, x;
  };
  std::array<Direction, thickness_rays> directions_;
};

}  // namespace pyicg::detail
