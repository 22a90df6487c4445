// Where one row of a frame has a gradient that counts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct EdgeKernels {
  // marked[x] = 0 where the square of the gradient, from the smoothed differences (1 2 1) x (-1 0 1) / 8, is less than
  // `least`, for x in [1, n - 1). `above`, `here` and `below` are three rows of n numbers.
  void (*mark)(const float* above, const float* here, const float* below, std::size_t n, float least,
               std::uint8_t* marked);
};

const EdgeKernels& edge_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
