// A lesion as rays about its centre see it: what a trace is worth, and what it says of the lesion.
#pragma once

#include <vector>

#include "lesion_parts.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/rim.hpp"
#include "rim_candidates.hpp"
#include "trace_rim.hpp"

namespace pyicg::detail {

// Fills lesion and maps; leaves both as they are where one of the workspace's lesions is the same. A reason: it is
// none.
Reason add_traced(const Frame& f, const RimTrace& trace, const Background& background, const RimOptions& o,
                  RimWorkspace& ws, Lesion& lesion);

// A trace that goes around a hole of this area and no further.
bool covers(const RimTrace& trace, double y, double x, double area);

// A grain of a larger lesion's core.
bool is_well_within(const RimCandidate& candidate, const RimTrace& trace);

// Before the fit, from the search alone: whether most of the core or of the rim lies in a lesion that was traced
// before, so that the fit would only find it again, or what lies beside it; and whether there is light enough to be a
// rim, however thin.
bool leads_to(const RimTracer::Found& settled, const RimTrace& trace);
bool may_glow(const RimTracer::Found& settled, const Background& background, const RimOptions& o);

}  // namespace pyicg::detail
