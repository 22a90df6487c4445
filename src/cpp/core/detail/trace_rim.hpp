// From a candidate to the fitted rim: around which pixel the contours run, and what the fit says of each ray.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pyicg/image_view.hpp"
#include "rim_candidates.hpp"
#include "rim_evidence.hpp"
#include "rim_fit.hpp"

namespace pyicg::detail {

struct TraceOptions {
  double cut;            // level that a rim must exceed
  double outside;        // level of what lies around
  double psf_sigma_px;   // NaN: estimated
  double smooth_px;      // over 1: blurs the image that is measured
  std::uint8_t invalid;  // mask bits of pixels without weight
};

struct RimTrace {
  std::ptrdiff_t centre_y, centre_x;  // whole pixels: a shifted frame gives shifted contours, bit for bit
  RimFit fit;
  std::vector<bool> in_view;  // the middle of the rim lies within the frame
  std::vector<bool> clipped;  // the frame ends before the rim does
  std::vector<bool> over;     // the rim exceeds the cut here
  std::vector<bool> present;  // it does, or stands out by half of its usual step
  double support;             // share of the rays in view on which the rim is present
  RimEvidence evidence;
  double core, rim, outside;  // medians over the rays: over those with a rim
};

// Empty where the search finds no step from a core to something brighter, or the core shrinks to nothing.
std::optional<RimTrace> trace_rim(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                                  const RimCandidate& candidate, const TraceOptions& options);

}  // namespace pyicg::detail
