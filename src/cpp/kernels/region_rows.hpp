// A row of a region in one pass: what is added up over its values, with what rounded additions lose kept beside the
// sums (Knuth's two-sum), and those of its values that lie in some windows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::size_t most_windows = 16;

struct Sum {
  double total = 0;
  double lost = 0;
};

// From `low` to `high`, both included.
struct Window {
  float low;
  float high;
};

struct RegionRow {
  const float* values;
  const std::uint8_t* mask;
  const std::uint8_t* region;  // not zero where a pixel is asked for; null: everywhere
  std::size_t width;
  std::uint8_t left_out;   // the mask's bits of pixels that do not count
  std::uint8_t saturated;  // and those of them that are counted
};

struct RowSums {
  Sum values;
  Sum squares;  // (v - centre)^2
};

// Of all rows so far.
struct RegionCounts {
  std::size_t asked = 0;
  std::size_t saturated = 0;  // of those asked for
  std::size_t n = 0;          // asked for, not left out, finite
  float least = __builtin_inff();
  float most = -__builtin_inff();
};

// And of the values in a window and below it.
struct WindowCounts {
  std::size_t below = 0;
  std::size_t inside = 0;
  float* kept = nullptr;  // those inside, in no order to rely on; there is room for those of a row and four more
};

struct RegionKernels {
  // How many bytes are not zero.
  std::size_t (*count)(const std::uint8_t* region, std::size_t n);
  // Where a block of 32 pixels counts as a whole, every eighth value has a sum of its own;
  // values of other blocks follow in order, those left over go to the sums one by one. The eight are added in order.
  // `loose` has room for a row and one more.
  RowSums (*take)(const RegionRow& row, float centre, const Window* windows, std::size_t n_windows,
                  RegionCounts* counts, WindowCounts* window_counts, float* loose);
};

const RegionKernels& region_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
