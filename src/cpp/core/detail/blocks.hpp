// The standard error of a mean over correlated pixels, by blocking: Flyvbjerg and Petersen, J Chem Phys 91, 461 (1989),
// here in two dimensions and for pixels that may be missing.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "../../kernels/block_rows.hpp"

namespace pyicg::detail {

// Edges of parts of [0, length), each about `part` long, that are the same seen from either end: what is computed on
// them does not depend on how a frame is flipped or turned.
void symmetric_edges(std::size_t length, std::size_t part, std::vector<std::size_t>& edges);

struct Inflation {
  double factor = 1;  // variance of the mean over that of as many independent values
  double blocks = 0;  // how many blocks of that size there are: what the factor is known from
};

// What correlation does at every block size that was looked at, and at the one that counts.
struct Correlation {
  struct Scale {
    double pixels = 0;  // of a block
    Inflation found;
  };
  Inflation worst;
  std::array<Scale, 20> scales{};
  std::size_t n_scales = 0;
};

// Takes each pixel's influence on an estimate (for a mean its deviation), row by row, and tells how much correlation
// between neighbours widens the estimate's variance.
class Blocks {
 public:
  // Base blocks of about edge x edge pixels.
  void reset(std::size_t height, std::size_t width, std::size_t edge);

  // The influences of the next row, `width` of them; NaN: a pixel that is missing.
  void add_row(const double* influences);

  // After all rows. The block size whose factor is largest at the lower end of its own uncertainty, 1 - sqrt(2 /
  // blocks): small blocks miss long correlations, large ones are few. At least `fewest_blocks` are asked for.
  [[nodiscard]] Correlation correlation();

 private:
  static constexpr double fewest_blocks = 8;
  // The blocks of one size. Only one row of them is held: what is wanted of all of them are sums.
  struct Level {
    std::vector<std::size_t> row_edges;  // in rows of the next finer blocks, or of pixels
    std::vector<std::size_t> column_edges;
    kernels::Parts columns{};
    std::size_t y = 0;  // the next row of those
    std::size_t row = 0;
    std::vector<double> n;
    std::vector<double> sum;
    kernels::BlockTotals totals{};
  };
  void end_row(std::size_t level);

  std::vector<Level> levels_;  // from the finest on; those beyond n_levels_ are spare
  std::size_t n_levels_ = 0;
  kernels::FourSums squares_{};
};

}  // namespace pyicg::detail
