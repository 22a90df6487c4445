// How thick a region is by angle: twice the largest distance to its edge along each ray.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "pyicg/image_view.hpp"
#include "pyicg/threshold_rim.hpp"

namespace pyicg::detail {

class RayThickness {
 public:
  RayThickness();

  // `distances` are those inside a region (0 elsewhere), in its box. Rays start at (height / 2, width / 2) of it and
  // are looked at pixel by pixel, linear between pixel centres, as far as those reach.
  void measure(ImageView<const float> distances, std::span<float, thickness_rays> thickness) const;

 private:
  struct Direction {
    double y, x;
  };
  std::array<Direction, thickness_rays> directions_;
};

}  // namespace pyicg::detail
