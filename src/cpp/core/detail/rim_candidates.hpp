// Where a rim may be: dark places with a bright edge around them, whole or broken, at every scale of the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/background.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

struct RimCandidate {
  double centre_y, centre_x;  // px of the full frame, inside the core
  double radius_px;           // about the core's, px of the full frame
  double scale_px;            // smoothing it was seen at: smooth_px x 2^level
  bool closed;                // a bright region encloses it at the threshold
  double strength;            // share of the directions in which an inner edge faces the centre, less where the core is
                              // little darker than its rim
};

struct RimSearch {
  double sbr_cut;
  double min_area_px;  // cores and bright regions below it are no rim
  double smooth_px;
  ThresholdRule threshold;
};

// Closed ones first, then the strongest. One per place: of two whose centres lie within half a radius and whose radii
// are alike, the stronger stays; so it does where cores would overlap, unless the other is closed or nearly as strong.
// At most 10, in `own`. Needs smooth_frame; uses ws.bright, components and holes. Bright regions without a candidate
// are added to `rejections`.
const std::vector<RimCandidate>& find_rim_candidates(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                                                     const Background& background, const RimSearch& search,
                                                     std::vector<Rejected>& rejections, RimWorkspace& ws,
                                                     RimSearchWorkspace& own);

}  // namespace pyicg::detail
