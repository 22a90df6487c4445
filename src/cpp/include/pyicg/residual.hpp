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
// smooth_frame (with smooth_px). The workspace keeps the regions for the functions below, until the next call. A
// residual that is used again keeps its memory.
void residual_fluorescence(ImageView<const std::uint8_t> mask, const Background& background, double sbr_cut,
                           double min_area_px, double smooth_px, RimWorkspace& ws, Residual& residual);

inline Residual residual_fluorescence(ImageView<const std::uint8_t> mask, const Background& background, double sbr_cut,
                                      double min_area_px, double smooth_px, RimWorkspace& ws) {
  Residual residual;
  residual_fluorescence(mask, background, sbr_cut, min_area_px, smooth_px, ws, residual);
  return residual;
}

// 1 on the regions of at least that area, 0 elsewhere.
void mark_residual(double min_area_px, ImageView<std::uint8_t> out, const RimWorkspace& ws);

// Half open; empty: nowhere.
struct PixelBox {
  std::size_t y0 = 0, x0 = 0, y1 = 0, x1 = 0;
};

// Marks in `out`, of the region that holds the spot's peak, the pixels whose smoothed signal exceeds `least`. Returns
// the region's box.
PixelBox mark_spot(const HotSpot& spot, double least, ImageView<std::uint8_t> out, const RimWorkspace& ws);

// Keeps, of a binary region, the pixels at least half as deep as the deepest of their component: the plateau that blur
// at the edge does not reach. `region` is changed in place.
void keep_deep_half(ImageView<std::uint8_t> region, RimWorkspace& ws);

}  // namespace pyicg
