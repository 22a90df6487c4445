// Reading an image between its pixels, at many places along a straight line.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct SplineImage {
  const float* values;
  const float* weights;  // null where all pixels count alike
  std::size_t width;
  double origin_y, origin_x;  // whole pixels: where the line's coordinates are zero
};

// Number i is at (y + t dy, x + t dx) with t = step (first + i).
struct SplineLine {
  double y, x;
  double dy, dx;
  double step;
  int first;
};

inline constexpr std::size_t spline_block = 4;  // places that are read together

struct SplineKernels {
  // Weighted means under the cubic B-spline of n places, spline_block or more; all 4 x 4 pixels around each belong to
  // the image. NaN where half of the weight, or less, is there.
  void (*read)(const SplineImage& image, const SplineLine& line, std::size_t n, double* signals);
};

const SplineKernels& spline_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
