#include "blocks.hpp"

#include <algorithm>
#include <cmath>

#include "../../kernels/tile_rows.hpp"

namespace pyicg::detail {
void symmetric_edges(std::size_t length, std::size_t part, std::vector<std::size_t>& edges) {
  std::size_t parts = std::max<std::size_t>((length + part / 2) / part, 1);
  // An even number of unequal parts has an edge in the middle, which rounding puts to one side.
  if (parts % 2 == 0 && length % parts != 0) --parts;
  edges.assign(parts + 1, 0);
  for (std::size_t k = 0; 2 * k <= parts; ++k) {
    edges[k] = k * length / parts;
    edges[parts - k] = length - edges[k];
  }
}

void Blocks::reset(std::size_t height, std::size_t width, std::size_t edge) {
  symmetric_edges(height, edge, row_edges_);
  symmetric_edges(width, edge, column_edges_);
  rows_ = row_edges_.size() - 1;
  columns_ = column_edges_.size() - 1;
  cells_.sum.assign(rows_ * columns_, 0);
  cells_.n.assign(rows_ * columns_, 0);
  squares_.assign(columns_, 0);
  y_ = row_ = 0;
  n_ = sum_ = sum_of_squares_ = 0;
}

void Blocks::add_row(const double* influences) {
  double* const n = cells_.n.data() + row_ * columns_;
  double* const sum = cells_.sum.data() + row_ * columns_;
  kernels::tile_kernels().add_blocks(influences, column_edges_.data(), columns_, {n, sum, squares_.data()});
  if (++y_ < row_edges_[row_ + 1]) return;
  for (std::size_t x = 0; x < columns_; ++x) {
    n_ += n[x];
    sum_ += sum[x];
    sum_of_squares_ += squares_[x];
  }
  std::fill(squares_.begin(), squares_.end(), 0.0);
  ++row_;
}

// In place: a coarse block is written where fine ones have been read.
void Blocks::coarsen() {
  const std::size_t columns = columns_;
  symmetric_edges(rows_, 2, row_edges_);
  symmetric_edges(columns, 2, column_edges_);
  rows_ = row_edges_.size() - 1;
  columns_ = column_edges_.size() - 1;
  for (std::vector<double>* table : {&cells_.sum, &cells_.n}) {
    double* to = table->data();
    for (std::size_t r = 0; r < rows_; ++r) {
      for (std::size_t c = 0; c < columns_; ++c) {
        double v = 0;
        for (std::size_t y = row_edges_[r]; y < row_edges_[r + 1]; ++y) {
          const double* row = table->data() + y * columns;
          for (std::size_t x = column_edges_[c]; x < column_edges_[c + 1]; ++x) v += row[x];
        }
        *to++ = v;
      }
    }
    table->resize(rows_ * columns_);
  }
}

Correlation Blocks::correlation() {
  const double n = n_;
  Correlation result;
  Inflation& best = result.worst;
  best = {1, n};
  if (n < 2) return result;
  const double mean = sum_ / n;
  const double independent = sum_of_squares_ - n * mean * mean;
  if (!(independent > 0)) return result;
  double best_bound = 1 - std::sqrt(2 / n);
  for (bool first = true;; first = false) {
    if (!first) {
      if (rows_ <= 1 && columns_ <= 1) break;
      coarsen();
    }
    double between = 0;
    double n_squared = 0;
    for (std::size_t i = 0; i < cells_.n.size(); ++i) {
      const double d = cells_.sum[i] - cells_.n[i] * mean;
      between += d * d;
      n_squared += cells_.n[i] * cells_.n[i];
    }
    const double blocks = n * n / n_squared;
    if (blocks < fewest_blocks) break;
    const double factor = between / independent * blocks / (blocks - 1);
    const double bound = factor * (1 - std::sqrt(2 / blocks));
    if (result.n_scales < result.scales.size()) result.scales.at(result.n_scales++) = {n / blocks, {factor, blocks}};
    if (factor > 1 && bound > best_bound) {
      best = {factor, blocks};
      best_bound = bound;
    }
  }
  return result;
}

}  // namespace pyicg::detail
