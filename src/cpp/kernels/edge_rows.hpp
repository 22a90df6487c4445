// Where a frame has a gradient that counts: row by row, along rays, and what votes along a line down a gradient.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::size_t ray_block = 64;  // places on a ray
inline constexpr std::size_t radii_block = 16;
inline constexpr std::size_t votes_at_once = 8;

// From (y, x), in pixels.
struct EdgeLine {
  double y, x, dy, dx;
};

// Places on a ray every half pixel: (y + i/2 dy, x + i/2 dx).
struct RayPlaces {
  std::int32_t rows[ray_block], columns[ray_block];  // NOLINT(modernize-avoid-c-arrays): kernels know no other
};

struct EdgeKernels {
  // marked[x] = 0 where the square of the gradient, from the smoothed differences (1 2 1) x (-1 0 1) / 8, is less than
  // `least`, for x in [1, n - 1). `above`, `here` and `below` are three rows of n numbers.
  void (*mark)(const float* above, const float* here, const float* below, std::size_t n, float least,
               std::uint8_t* marked);

  // The pixels that hold n places on a ray from the one numbered `first` on, all in the frame, n being at most
  // ray_block. Bit i of the answer: marked (1, else 0) at the i-th of them.
  std::uint64_t (*look)(const std::uint8_t* marked, std::size_t width, const EdgeLine& ray, std::size_t first,
                        std::size_t n, RayPlaces* places);

  // Adds to sums[k] how well the best of a ray's n edges fits the k-th of radii_block radii: 1 - |difference| per_log,
  // at least 0. All are logarithms.
  void (*add_fits)(const double* log_r, std::size_t n, const double* log_radii, double per_log, double* sums);

  // Adds weights[k] to the cell, of 2 x 2 pixels, that lies at distances[k] along a line, for k < n; all lie in the
  // plane of cells, which is `width` wide. Distances are read up to the next multiple of votes_at_once.
  void (*vote)(const EdgeLine& line, const double* distances, const float* weights, std::size_t n, std::size_t width,
               float* votes);
};

const EdgeKernels& edge_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
