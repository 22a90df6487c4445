// What glows at the resection plane: regions over the SBR cut, ranked. The brightest peak marks the closest margin (van
// Keulen); counts are not turned into millimetres.
#pragma once

#include <vector>

#include "pyicg/contrast.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/rim.hpp"

namespace pyicg {

struct HotSpot {
  double peak_sbr = nan;
  double peak_y = 0;
  double peak_x = 0;
  double area_px = 0;
};

struct Residual {
  std::vector<HotSpot> hot_spots;  // brightest peak first
  double area_px = 0;
  bool sign = false;       // a region over the cut, of at least the minimum area without its saturated pixels
  bool saturated = false;  // a region over the cut holds saturated pixels, or is one of them that was clipped below it
};

// Regions over `sbr_cut` x background at the resection plane. Needs smooth_frame (with smooth_px); fills
// workspace.bright.
Residual residual_fluorescence(ImageView<const std::uint8_t> mask, const Background& background, double sbr_cut,
                               double min_area_px, double smooth_px, RimWorkspace& ws);

// Keeps, of a binary region, the pixels at least half as deep as the deepest of their component: the plateau that blur
// at the edge does not reach. `region` is changed in place.
void keep_deep_half(ImageView<std::uint8_t> region, RimWorkspace& ws);

}  // namespace pyicg
