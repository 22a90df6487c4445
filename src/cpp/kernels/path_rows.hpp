// The inner loop of the best closed path: one step of dynamic programming, from the rows of one ray to those of the
// next.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct PathKernels {
  // after[i] = gain[i] + max over d of before[i - d] - costs[d] and before[i + d] - costs[d], for i in [0, n) and d in
  // [0, max_step]. `before` may be read max_step further on either side; costs[0] is 0.
  void (*step)(const double* before, std::size_t n, const double* costs, std::size_t max_step, const double* gain,
               double* after);
};

const PathKernels& path_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
