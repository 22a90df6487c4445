// What a bright region without a core is, by simple rules.
#pragma once

#include <cstdint>
#include <vector>

#include "label.hpp"
#include "pyicg/background.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "threshold.hpp"

namespace pyicg::detail {

struct RegionFrame {
  ImageView<const float> data;
  ImageView<const std::uint8_t> mask;
  ImageView<const float> smooth;
  ImageView<const std::int32_t> labels;  // of the bright regions
};

// The first that holds:
//   hot_pixel       smaller than min_area, and at most four raw pixels stand over half the peak, with neighbours under
//   a
//                   tenth of it: a point spread of sigma 0.5 px gives a seventh
//   below_min_area  smaller than min_area
//   saturated_blob  more than half of its pixels are saturated
//   drape_edge      long, and three tenths of its outline lie along the frame's border or a field under 0.2 background
//   glare           peak ten times the background and over four times its own median, on less than 2 % of the frame
//   elongated       length over width (of the ellipse of the same second moments) over 3, or it fills less than 0.4 of
//                   that ellipse: long and bent, or branched
//   no_enclosed_core
Reason why_no_rim(const RegionFrame& frame, const Component& region, std::int32_t label, const Background& background,
                  double min_area_px, double smooth_px, std::vector<float>& scratch);

}  // namespace pyicg::detail
