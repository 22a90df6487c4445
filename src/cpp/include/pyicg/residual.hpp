// What glows at the resection plane: regions over the SBR cut, ranked. The brightest peak marks the closest margin (van
// Keulen); counts are not turned into millimetres.
#pragma once

#include <cstdint>
#include <vector>

#include "pyicg/contrast.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/rim.hpp"

namespace pyicg {

struct HotSpot {
  double peak_sbr = nan;  // of the smoothed signal
  double peak_y = 0;      // the first such pixel, row by row
  double peak_x = 0;
  double area_px = 0;
  bool saturated = false;  // holds saturated pixels: the peak is a lower bound
};

struct Residual {
  std::vector<HotSpot> hot_spots;  // brightest peak first; of equal ones that whose first pixel comes first
  double area_px = 0;
  bool sign = false;       // a region over the cut, of at least the minimum area without its saturated pixels
  bool saturated = false;  // a region that is large enough holds saturated pixels, which count as over the cut here
};

// Three answers: a sign that cannot be known is not a negative one.
enum class Sign : std::int32_t { negative = 0, positive = 1, unknown = 2 };

// The fluorescent sign: unknown where a region is large enough with its saturated pixels only.
Sign fluorescent_sign(const Residual& residual);

// Regions over `sbr_cut` x background at the resection plane, 8-connected; excluded pixels are in none. Needs
// smooth_frame (with smooth_px); fills workspace.bright.
Residual residual_fluorescence(ImageView<const std::uint8_t> mask, const Background& background, double sbr_cut,
                               double min_area_px, double smooth_px, RimWorkspace& ws);

// Keeps, of a binary region, the pixels at least half as deep as the deepest of their component: the plateau that blur
// at the edge does not reach. `region` is changed in place.
void keep_deep_half(ImageView<std::uint8_t> region, RimWorkspace& ws);

}  // namespace pyicg
