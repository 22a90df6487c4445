// What the image shows along the rays and normals of a rim that is being fitted.
#pragma once

#include <cstddef>

#include "rim_fit_state.hpp"

namespace pyicg::detail {

// Levels of core, rim and outside on each ray, and the range that they may take, from where the boundaries are now.
void set_start_levels(RimFitState& state);

// Equations of the profile along one normal, given the levels. In a gap core meets liver, and there is no rim to end.
// Returns how many samples there are.
std::size_t read_profile(RimFitState& state, std::size_t k, const RimFitState::Side& side, bool gap,
                         Equations& equations);

// The rim's level on each ray, from the profiles within a pixel of it along the contour.
void set_rim_here(RimFitState& state);

}  // namespace pyicg::detail
