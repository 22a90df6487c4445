// What speaks for a fitted rim: is the core one dark thing, does the rim stand over core and surroundings in long runs,
// are the surroundings alike all around?
#pragma once

#include "grey_crop.hpp"
#include "pyicg/measurement.hpp"
#include "rim_fit.hpp"

namespace pyicg::detail {

// From means over 24 sectors of the core, the middle half of the rim, and a band beside it. `step` is the median over
// the sectors of rim less core.
struct RimEvidence {
  double coherence = 0;    // share of the sectors whose rim stands over core (by half a step) and outside (a quarter),
                           // in runs of 60 degrees or more
  double in_view = 0;      // share of the rim's angles within the frame
  double core_spread = 0;  // standard deviation of the core's level over the sectors / step, noise taken off
  double outside_spread = 0;           // the same of the surroundings, where the rim stands over them
  double thickness_spread = 0;         // standard deviation / mean, sectors with a rim
  double significance = 0;             // step over its standard error in one sector
  double thickness_px = 0;             // median
  double core_over_blur = 0;           // radius of the core over the sigma of the blur
  double middle_over_dark = infinity;  // level of the inner half of the core over `dark`
};

// `dark` is the darker of surroundings and background, `in_view` the share of the rim's angles within the frame.
RimEvidence gather_evidence(const GreyCrop& image, const RimFit& fit, double dark, double in_view);

// Between 0 and 1; a heuristic, not a probability. The product of: coherence (0 at 0.25, 1 at 0.65), the three spreads
// (half at 0.25, 0.5 and 0.8), the significance z/(z + 2), and, as optics do not show a rim thinner than 3 px as one,
// thickness (0.4 up to 2.7 px, 1 from 3.2 px). The core counts from 1.5 sigma of blur in radius, fully from 2.6. Where
// the middle of the core is not dark (from 0.9 of the surroundings up; up to 0.8 it is, between them in part), as
// between vessels, coherence counts from 0.85, fully from 1, the share in view from 0.95, fully from 1, and the
// thickness' spread half at 0.4. The constants were chosen on simulated frames with and without rims.
double confidence(const RimEvidence& evidence);

}  // namespace pyicg::detail
