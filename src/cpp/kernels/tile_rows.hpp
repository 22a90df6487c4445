// Rows of pixels: which of them count, and their sums in parts of the row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct RowCounts {
  std::size_t usable = 0;
  std::size_t zeros = 0;     // usable pixels of value 0
  std::size_t negative = 0;  // and below
  std::size_t over = 0;      // and above a limit
};

// Of every part of a row: sums over its pixels so far, in the order of the pixels.
struct TileSums {
  double* first;  // value that sums are of differences to: a bright frame's variance keeps its digits; NaN: none yet
  std::int64_t* n;
  double* sum;
  double* squares;
  double* noise;
};

// Rows of pixels below each other; the strides are in bytes. Values that are missing are NaN, `variance` may be null.
struct TileRows {
  std::size_t count;
  const float* values;
  std::ptrdiff_t values_stride;
  const float* variance;
  std::ptrdiff_t variance_stride;
};

// A pixel is usable where the mask has none of the bits `left_out`; a value that is missing is NaN. Part k of a row
// holds [edges[k], edges[k + 1]).
struct TileKernels {
  // Whether any pixel is not usable; usable ones are counted.
  bool (*count)(const float* values, const std::uint8_t* mask, std::uint8_t left_out, float limit, std::size_t n,
                RowCounts* counts);

  // The usable values within [lo, hi], the others missing. Counts those above `hi`. Returns whether there are pixels
  // with no bit but `cut` of `left_out`.
  bool (*pick)(const float* values, const std::uint8_t* mask, std::uint8_t left_out, std::uint8_t cut, float lo,
               float hi, std::size_t n, float* picked, std::size_t* above);

  // Adds the values that are there.
  void (*add_tiles)(const TileRows& rows, const std::size_t* edges, std::size_t parts, const TileSums& sums);

  // Means and variances of n parts; NaN where a part is empty.
  void (*finish_tiles)(const TileSums& sums, std::size_t n, float* mean, double* within, double* noise);
};

const TileKernels& tile_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
