// One row of a Gaussian blur.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct GaussianKernels {
  // Down the columns, then along the row, with repeated borders. `rows` are the 2 reach + 1 rows around this one,
  // weights go from the middle to the end, `line` has room for width + 2 reach numbers and a register. `out` may be
  // rows[reach].
  void (*blur)(const float* const* rows, const float* weights, std::size_t reach, std::size_t width, float* line,
               float* out);
};

const GaussianKernels& gaussian_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
