// The tumour's edge where its rim is missing, whatever glows beyond the gap.
#pragma once

#include <cstddef>
#include <vector>

#include "closed_path.hpp"
#include "polar_image.hpp"
#include "rim_fit.hpp"

namespace pyicg::detail {

struct RimLevels {
  double core, rim, outside;
  double blur_px;
};

// Buffers reused between searches.
struct GapBuffers {
  PolarImage mean;
  std::vector<double> rewards, sums;
  PathBuffers paths;
  Gaps found;
};

// The paths of a polar search follow the strongest edges. In a gap of the rim that may be a vessel's, across a strip of
// liver that lies bare before it; or there is none, and the path cuts the corner. Where the core is darker than liver,
// the tumour ends there at the edge between the two: the inner path is led along it through the gaps, and the outer one
// runs behind it as far as elsewhere. Rows of either path are per ray of `polar`, of which there are at most
// `most_rays`. The gaps are the buffers' own.
const Gaps& leave_gaps_open(const PolarImage& polar, const RimLevels& levels, const PathRule& rule,
                            std::vector<std::size_t>& inner, std::vector<std::size_t>& outer, GapBuffers& buffers);

}  // namespace pyicg::detail
