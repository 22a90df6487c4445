#include "blocks.hpp"

#include <algorithm>
#include <cmath>

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

namespace {

// The longest run of parts that are pairs.
kernels::Parts parts_of(const std::vector<std::size_t>& edges) {
  kernels::Parts parts{edges.data(), edges.size() - 1, 0, 0};
  for (std::size_t k = 0, first = 0; k < parts.count; ++k) {
    if (edges[k + 1] - edges[k] != 2) {
      first = k + 1;
    } else if (k + 1 - first > parts.pairs_last - parts.pairs_first) {
      parts.pairs_first = first;
      parts.pairs_last = k + 1;
    }
  }
  return parts;
}

}  // namespace

void Blocks::reset(std::size_t height, std::size_t width, std::size_t edge) {
  squares_ = {};
  n_levels_ = 0;
  for (bool more = true; more;) {
    if (levels_.size() == n_levels_) levels_.emplace_back();
    Level& level = levels_[n_levels_++];
    symmetric_edges(height, edge, level.row_edges);
    symmetric_edges(width, edge, level.column_edges);
    level.columns = parts_of(level.column_edges);
    level.y = level.row = 0;
    height = level.row_edges.size() - 1;
    width = level.columns.count;
    level.n.assign(width, 0);
    level.sum.assign(width, 0);
    level.totals = {};
    more = height > 1 || width > 1;
    edge = 2;
  }
}

void Blocks::add_row(const double* influences) {
  Level& base = levels_.front();
  kernels::block_kernels().add_values(influences, base.columns, base.n.data(), base.sum.data(), &squares_);
  end_row(0);
}

// A row has been added to the blocks of this level: where that was their last one, they are complete.
void Blocks::end_row(std::size_t k) {
  Level& level = levels_[k];
  if (++level.y < level.row_edges[level.row + 1]) return;
  ++level.row;
  const kernels::BlockKernels& kernels = kernels::block_kernels();
  kernels.close(level.n.data(), level.sum.data(), level.columns.count, &level.totals);
  if (k + 1 < n_levels_) {
    Level& next = levels_[k + 1];
    kernels.add_blocks(level.n.data(), level.sum.data(), next.columns, next.n.data(), next.sum.data());
    end_row(k + 1);
  }
  std::fill(level.n.begin(), level.n.end(), 0.0);
  std::fill(level.sum.begin(), level.sum.end(), 0.0);
}

// Influences add up to about nothing, so the mean may be taken off after squaring.
Correlation Blocks::correlation() {
  const double n = levels_.front().totals.n.total();
  Correlation result;
  Inflation& best = result.worst;
  best = {1, n};
  if (n < 2) return result;
  const double mean = levels_.front().totals.sum.total() / n;
  const double independent = squares_.total() - n * mean * mean;
  if (!(independent > 0)) return result;
  double best_bound = 1 - std::sqrt(2 / n);
  for (std::size_t k = 0; k < n_levels_; ++k) {
    const kernels::BlockTotals& t = levels_[k].totals;
    const double n_squared = t.n_n.total();
    const double between = std::max(t.sum_sum.total() - mean * (2 * t.n_sum.total() - mean * n_squared), 0.0);
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
