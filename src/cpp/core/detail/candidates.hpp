// Where a rim may be: dark regions that a bright one encloses.
#pragma once

#include <vector>

#include "label.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

struct Candidate {
  Component hole;
  double threshold;  // level that separates it from the bright region around it
};

// Candidates at the SBR cut, and for bright regions without a hole at a cut of their own: a core may glow above the SBR
// cut and still be dark beside its rim.
// Bright regions that enclose nothing are added to `rejections`. Uses ws.bright, components and holes.
std::vector<Candidate> find_candidates(ImageView<const float> smooth, double level, double min_area_px,
                                       std::vector<Rejected>& rejections, RimWorkspace& ws);

Rejected rejected(Reason why, const Component& component);

}  // namespace pyicg::detail
