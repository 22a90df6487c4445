// One Gauss-Newton step of the fit of a rim.
#pragma once

#include "rim_fit_state.hpp"

namespace pyicg::detail {

// Of levels, blur and one boundary: fills the memory's `step`, and the side's `values` and `variances`, where each
// profile by itself puts the boundary and how well it knows. False where too few see it at all.
bool find_step(RimFitState& state, RimFitState::Side& side);

}  // namespace pyicg::detail
