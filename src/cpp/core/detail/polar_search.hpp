// Where a rim's two boundaries run around a place in its core: the best closed paths through the polar image.
#pragma once

#include <cstddef>
#include <vector>

#include "closed_path.hpp"
#include "gap_path.hpp"
#include "grey_crop.hpp"
#include "polar_image.hpp"
#include "rim_fit.hpp"

namespace pyicg::detail {

struct PolarSearch {
  RimRadii radii;
  double core = 0;      // level of the core's middle
  double rim = 0;       // level of the rim, upper quartile of the rays
  double blur_px = 0;   // width of the inner edge in the image as read, sigma of a blurred step
  bool grainy = false;  // texture hides the edges of single rays
};

// Buffers reused between searches.
struct PolarBuffers {
  PolarImage polar;
  std::vector<float> values;
  std::vector<double> slopes, rewards;              // per ray and row
  std::vector<double> to_core, to_rim, to_outside;  // misfits, likewise
  std::vector<double> per_row;
  std::vector<std::size_t> inner, outer;  // rows of the paths
  PathBuffers paths;
  GapBuffers gaps;
};

// `radius_px` is about the core's radius; `outside` the level of what lies around. False where no rim is brighter than
// the core.
bool search_polar(const GreyCrop& image, double radius_px, double outside, PolarBuffers& buffers, PolarSearch& found);

}  // namespace pyicg::detail
