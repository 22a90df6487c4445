// Inner and outer boundary of one rim along rays from its core, to sub-pixel precision.
#pragma once

#include <cstddef>
#include <vector>

#include "pyicg/image_view.hpp"

namespace pyicg::detail {

struct RayOptions {
  double threshold;    // level that separated rim from core
  double cut;          // level a rim must exceed to count for completeness
  double core_level;   // plateau of the core
  double total_sigma;  // blur of optics and smoothing together, px; NaN: do not correct for it
  double reach_px;     // no boundary lies farther from the centre than this
};

struct Ray {
  double dark = 0;   // px from the centre: here the ray leaves the dark core
  double inner = 0;  // px from the centre
  double outer = 0;
  double peak = 0;     // level on the rim
  double slope = 0;    // signal per px at the inner boundary
  bool found = false;  // a rim stands on this ray
  bool over_cut = false;
  bool clipped = false;  // the ray left the image before the rim ended
};

// One ray per angle 2 pi k / n. Rays without a rim get radii interpolated from their neighbours.
std::vector<Ray> trace_rays(ImageView<const float> smooth, double centre_y, double centre_x, std::size_t n,
                            const RayOptions& options);

}  // namespace pyicg::detail
