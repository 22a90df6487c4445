// The inner loops of the best closed path: what its edges are worth along a ray, and one step of dynamic programming,
// from the rows of one ray to those of the next.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

// An edge that rises by `height` (sign 1) from the level `zero`, or falls to it (sign -1).
struct EdgeStep {
  double zero, height;
  double sign;
  double row_px;
  double most_lost;  // to what lies on the wrong side
};

struct PathKernels {
  // slope[i] = value[i + reach] - value[i - reach], 0 where that is not known.
  void (*slopes)(const double* value, std::size_t n, std::size_t reach, double* slope);

  // Twice the slope in steps of the edge's height, at most 1, less the pull, and less the px on the wrong side of the
  // step's middle so far, each times how far it is over.
  void (*rewards)(const double* value, const double* slope, const double* pull, std::size_t n, const EdgeStep& edge,
                  double* reward);

  // after[i] = gain[i] + max over d of before[i - d] - costs[d] and before[i + d] - costs[d], for i in [0, n) and d in
  // [0, max_step]. `before` may be read max_step further on either side; costs[0] is 0.
  void (*step)(const double* before, std::size_t n, const double* costs, std::size_t max_step, const double* gain,
               double* after);
};

const PathKernels& path_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
