// One axis of a Gaussian blur.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

// Rows that are blurred together: each row read stands in the sums of all of them.
inline constexpr std::size_t gaussian_rows = 4;

// Weights go from the middle to the end.
struct GaussianKernels {
  // Down the columns: `rows` are the 2 reach + 1 rows around this one. `out` may be rows[reach].
  void (*down)(const float* const* rows, const float* weights, std::size_t reach, std::size_t width, float* out);

  // Along a row that has its borders, `reach` numbers before line[0] and after line[width - 1].
  void (*along)(const float* line, const float* weights, std::size_t reach, std::size_t width, float* out);

  // Down the columns for gaussian_rows rows, one below the other, each from the rows around it: `rows` are the
  // 2 reach + gaussian_rows of them. The rows lie in each other: out[gaussian_rows * x + j] is pixel x of row j.
  void (*down_together)(const float* const* rows, const float* weights, std::size_t reach, std::size_t width,
                        float* out);

  // Along rows that lie in each other and have their borders. Sums every other tap first, then those between.
  void (*along_together)(const float* lines, const float* weights, std::size_t reach, std::size_t width,
                         float* const* out);
};

const GaussianKernels& gaussian_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
