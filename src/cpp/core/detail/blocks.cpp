#include "blocks.hpp"

#include <algorithm>
#include <cmath>

namespace pyicg::detail {
namespace {

// The part that each of [0, length) belongs to; returns how many parts there are.
std::size_t parts_of(std::size_t length, std::size_t part, std::vector<std::size_t>& edges,
                     std::vector<std::uint32_t>& part_of) {
  symmetric_edges(length, part, edges);
  part_of.resize(length);
  for (std::size_t k = 0; k + 1 < edges.size(); ++k) {
    std::fill(part_of.begin() + static_cast<std::ptrdiff_t>(edges[k]),
              part_of.begin() + static_cast<std::ptrdiff_t>(edges[k + 1]), static_cast<std::uint32_t>(k));
  }
  return edges.size() - 1;
}

}  // namespace

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
  rows_ = parts_of(height, edge, edges_, row_of_);
  columns_ = parts_of(width, edge, edges_, column_of_);
  cells_.assign(rows_ * columns_, Cell{});
}

void Blocks::coarsen() {
  const std::size_t columns = columns_;
  const std::size_t rows = rows_;
  rows_ = parts_of(rows, 2, edges_, row_of_);
  columns_ = parts_of(columns, 2, edges_, column_of_);
  coarse_.assign(rows_ * columns_, Cell{});
  for (std::size_t y = 0; y < rows; ++y) {
    for (std::size_t x = 0; x < columns; ++x) {
      const Cell& fine = cells_[y * columns + x];
      Cell& cell = coarse_[row_of_[y] * columns_ + column_of_[x]];
      cell.sum += fine.sum;
      cell.n += fine.n;
    }
  }
  cells_.swap(coarse_);
}

Correlation Blocks::correlation() {
  double n = 0;
  double sum = 0;
  double squares = 0;
  for (const Cell& cell : cells_) {
    n += cell.n;
    sum += cell.sum;
    squares += cell.squares;
  }
  Correlation result;
  Inflation& best = result.worst;
  best = {1, n};
  if (n < 2) return result;
  const double mean = sum / n;
  const double independent = squares - n * mean * mean;
  if (!(independent > 0)) return result;
  double best_bound = 1 - std::sqrt(2 / n);
  for (bool first = true;; first = false) {
    if (!first) {
      if (rows_ <= 1 && columns_ <= 1) break;
      coarsen();
    }
    double between = 0;
    double n_squared = 0;
    for (const Cell& cell : cells_) {
      const double d = cell.sum - cell.n * mean;
      between += d * d;
      n_squared += cell.n * cell.n;
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
