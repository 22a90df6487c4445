// A lesion that straight rays from one place do not see, found as grey-level contours of the smoothed frame.
#pragma once

#include <span>

#include "lesion_parts.hpp"
#include "pyicg/rim.hpp"
#include "rim_workspace.hpp"

namespace pyicg::detail {

// A core that a bright region encloses but straight rays from one place do not reach, or that nothing of what was
// traced covers. Fills lesion and maps where it is one.
bool add_odd_shape(const Frame& f, const RimCandidate& hole, std::span<const TracedCandidate> traced,
                   const Background& background, const RimOptions& o, RimWorkspace& ws, Lesion& lesion);

}  // namespace pyicg::detail
