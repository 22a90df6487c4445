// Rows of blocks: sums over parts of a row, and over all blocks.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

// How a row is cut into parts: part k holds [edges[k], edges[k + 1]), and from part `pairs_first` up to `pairs_last`
// they are pairs.
struct Parts {
  const std::size_t* edges;
  std::size_t count;
  std::size_t pairs_first;
  std::size_t pairs_last;
};

// Sums that are the same whatever the registers' width: of four in turn.
struct FourSums {
  double of[4];  // NOLINT(modernize-avoid-c-arrays): kernels know no library
  [[nodiscard]] double total() const { return (of[0] + of[1]) + (of[2] + of[3]); }
};

// Over all blocks: of their n and their sum.
struct BlockTotals {
  FourSums n, sum;
  FourSums n_n, n_sum, sum_sum;
};

struct BlockKernels {
  // Adds a row of values, NaN where one is missing, to the n and the sum of every part, and the squares to one sum.
  void (*add_values)(const double* values, const Parts& parts, double* n, double* sum, FourSums* squares);

  // Adds a row of blocks to the parts of it.
  void (*add_blocks)(const double* fine_n, const double* fine_sum, const Parts& parts, double* n, double* sum);

  // Adds a row of `count` blocks to the totals.
  void (*close)(const double* n, const double* sum, std::size_t count, BlockTotals* totals);
};

const BlockKernels& block_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
