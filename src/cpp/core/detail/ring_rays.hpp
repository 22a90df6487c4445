// A ring seen from a point inside it: the inner edge along rays.
#pragma once

#include <vector>

#include "edge_map.hpp"
#include "pyicg/image_view.hpp"

namespace pyicg::detail {

struct Ring {
  double y = 0;
  double x = 0;
  double radius = 0;
  double in_frame = 0;  // share of the rays that reach the ring within the frame
  double facing = 0;    // share of the rays that meet the edge in stretches of 30 degrees or more, one that meets it
                        // at an angle counting 1 - (angle / 45 degrees)^2
  double depth = 0;     // 1 - (core - least)/(rim - least), least being the lower of core and background
};

struct RingSearch {
  double least_radius, radius;  // px: the smallest and the largest ring
  double background;
};

// The ring around a place near its middle: edges along 48 rays where the gradient rises within 45 degrees of the ray,
// at the radius that most of them agree on; then again from the centre of the circle through them. Radius 0: none.
Ring find_ring(const EdgeMap& map, const RingSearch& search, double y, double x);

}  // namespace pyicg::detail
