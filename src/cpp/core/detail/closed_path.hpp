// The best closed path around a table of rewards: one column per ray, one row per radius.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace pyicg::detail {

struct PathRule {
  std::size_t max_step = 1;  // rows that the path may move from one ray to the next
  double step_cost = 0;      // reward lost per row moved
};

// Rows in which a path begins and ends, and the most that one of them gets which need not end where it began.
struct PathInterval {
  std::size_t first, last;
  double bound;
  std::size_t start, end;
};

// Buffers reused between searches.
struct PathBuffers {
  std::vector<double> costs;
  std::vector<double> sums;  // of rewards on the way to each row of each ray
  std::vector<double> zeros;
  std::vector<PathInterval> open;
  std::vector<std::size_t> path;
};

// Row per ray of the closed path with the largest sum of rewards; rewards are row-major by ray, `rows` per ray, at
// least one. The optimum is global: paths that begin in an interval of rows and end in it are bounded by the best open
// one, and intervals are split until the best one closes (Appleton & Sun, Pattern Recognition 36 (2003) 2513). The path
// is the buffers' own.
const std::vector<std::size_t>& closed_path(std::span<const double> rewards, std::size_t rows, const PathRule& rule,
                                            PathBuffers& buffers);

}  // namespace pyicg::detail
