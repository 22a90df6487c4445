#include "core/detail/closed_path.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.hpp"
#include "kernels/path_rows.hpp"
#include "scene.hpp"

using pyicg::InstructionSet;
using pyicg::detail::closed_path;
using pyicg::detail::PathRule;

namespace {

struct Table {
  std::size_t rays, rows;
  std::vector<double> rewards;
};

std::size_t apart(std::size_t a, std::size_t b) { return a > b ? a - b : b - a; }

// The reward of a path, closing step included; minus infinity for a step that is not allowed.
double reward_of(const Table& t, const std::vector<std::size_t>& path, const PathRule& rule) {
  double sum = 0;
  for (std::size_t k = 0; k < t.rays; ++k) {
    const std::size_t step = apart(path[k], path[(k + 1) % t.rays]);
    if (step > rule.max_step) return -std::numeric_limits<double>::infinity();
    sum += t.rewards[k * t.rows + path[k]] - rule.step_cost * static_cast<double>(step);
  }
  return sum;
}

// Every path there is.
double best_of_all(const Table& t, const PathRule& rule) {
  std::vector<std::size_t> path(t.rays);
  double best = -std::numeric_limits<double>::infinity();
  while (true) {
    best = std::max(best, reward_of(t, path, rule));
    std::size_t k = 0;
    while (k < t.rays && ++path[k] == t.rows) path[k++] = 0;
    if (k == t.rays) return best;
  }
}

pyicg::detail::PathBuffers buffers;  // whatever the searches before have left in them

void compare(const Table& t, const PathRule& rule) {
  const std::vector<std::size_t> path = closed_path(t.rewards, t.rows, rule, buffers);
  check::equal(path.size(), t.rays);
  check::is_true(std::all_of(path.begin(), path.end(), [&](std::size_t row) { return row < t.rows; }), "rows in range");
  check::near(reward_of(t, path, rule), best_of_all(t, rule), 1e-12);
}

void brute_force() {
  scene::Normal normal(3);
  for (int round = 0; round < 300; ++round) {
    Table t{3 + static_cast<std::size_t>(5 * normal.uniform()), 2 + static_cast<std::size_t>(4 * normal.uniform()), {}};
    t.rewards.resize(t.rays * t.rows);
    for (double& v : t.rewards) v = normal();
    const PathRule rule{static_cast<std::size_t>(3 * normal.uniform()), round % 3 == 0 ? 0.0 : normal.uniform()};
    compare(t, rule);
  }
}

// Rewards of 0 and 1 only: many paths are equally good.
void ties() {
  scene::Normal normal(4);
  for (int round = 0; round < 300; ++round) {
    Table t{6, 4, std::vector<double>(24)};
    for (double& v : t.rewards) v = normal.uniform() < 0.5 ? 0 : 1;
    compare(t, {1, round % 2 == 0 ? 0.0 : 0.5});
  }
}

// A spiral pays best when it need not close: the search must give it up.
void spiral() {
  constexpr std::size_t rays = 7;
  Table t{rays, rays, std::vector<double>(rays * rays)};
  for (std::size_t k = 0; k < rays; ++k) t.rewards[k * rays + k] = 1;
  compare(t, {1, 0});
  t.rewards[3] = 0.5;
  compare(t, {2, 0.1});
}

void flat() {
  for (const PathRule& rule : {PathRule{0, 0}, PathRule{1, 0}, PathRule{3, 0}, PathRule{2, 1}}) {
    const std::vector<std::size_t> path = closed_path(std::vector<double>(40, 0.25), 5, rule, buffers);
    check::equal(path.size(), 8U);
    check::equal(static_cast<std::size_t>(std::count(path.begin(), path.end(), path.front())), 8U);  // a circle
  }
}

void one_row() {
  const std::vector<std::size_t> path = closed_path(std::vector<double>{3, -1, 2}, 1, {1, 0.5}, buffers);
  check::is_true(path == std::vector<std::size_t>(3, 0), "the only row");
}

// A large table against the best of all starting rows, each found by plain dynamic programming.
void large() {
  constexpr std::size_t rays = 64;
  constexpr std::size_t rows = 40;
  scene::Normal normal(5);
  Table t{rays, rows, std::vector<double>(rays * rows)};
  for (double& v : t.rewards) v = normal();
  const PathRule rule{2, 0.3};
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t start = 0; start < rows; ++start) {
    std::vector<double> before(rows, -std::numeric_limits<double>::infinity());
    before[start] = t.rewards[start];
    for (std::size_t k = 1; k <= rays; ++k) {
      std::vector<double> after(rows, -std::numeric_limits<double>::infinity());
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < rows; ++j) {
          if (apart(i, j) > rule.max_step) continue;
          const double gain = k == rays ? 0.0 : t.rewards[k * rows + i];
          after[i] = std::max(after[i], before[j] - rule.step_cost * static_cast<double>(apart(i, j)) + gain);
        }
      }
      before = after;
    }
    best = std::max(best, before[start]);
  }
  check::near(reward_of(t, closed_path(t.rewards, rows, rule, buffers), rule), best, 1e-9);
}

// Every instruction set, on rows of every length and phase, against one number after the other.
void steps() {
  scene::Normal normal(6);
  std::vector<double> before(200);
  std::vector<double> gain(200);
  for (double& v : before) v = normal.uniform() < 0.2 ? -std::numeric_limits<double>::infinity() : normal();
  for (double& v : gain) v = normal();
  const std::vector<double> costs{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
  for (const InstructionSet set : pyicg::instruction_sets()) {
    for (std::size_t n = 1; n < 70; ++n) {
      for (std::size_t max_step = 0; max_step < costs.size(); ++max_step) {
        const std::size_t first = 10 + n % 5;
        std::vector<double> after(n, 7);
        pyicg::kernels::path_kernels(set).step(before.data() + first, n, costs.data(), max_step, gain.data() + n,
                                               after.data());
        for (std::size_t i = 0; i < n; ++i) {
          double most = -std::numeric_limits<double>::infinity();
          for (std::size_t j = first + i - max_step; j <= first + i + max_step; ++j) {
            most = std::max(most, before[j] - costs[apart(j, first + i)]);
          }
          check::equal(after[i], most + gain[n + i]);
        }
      }
    }
  }
}

// What edges are worth, against one number after the other.
void worth_of_edges() {
  scene::Normal normal(7);
  std::vector<double> value(300);
  std::vector<double> pull(300);
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] = normal.uniform() < 0.05 ? std::numeric_limits<double>::quiet_NaN() : 2 + normal();
    pull[i] = 0.01 * static_cast<double>(i);
  }
  constexpr double most = std::numeric_limits<double>::infinity();
  for (const InstructionSet set : pyicg::instruction_sets()) {
    const auto& kernels = pyicg::kernels::path_kernels(set);
    for (std::size_t n = 1; n < 200; n += n < 20 ? 1 : 13) {
      for (const pyicg::kernels::EdgeStep& edge :
           {pyicg::kernels::EdgeStep{1.5, 2, 1, 0.5, most}, {0.5, 2.5, -1, 0.7, 1.5}}) {
        const std::size_t reach = 1 + n % 4;
        std::vector<double> slope(n, 7);
        std::vector<double> reward(n, 7);
        kernels.slopes(value.data(), n, reach, slope.data());
        kernels.rewards(value.data(), slope.data(), pull.data() + n % 7, n, edge, reward.data());
        double crossed = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const bool known = i >= reach && i + reach < n;
          const double rise = known ? value[i + reach] - value[i - reach] : 0;
          check::equal(slope[i], std::isnan(rise) ? 0 : rise);
          const double gain = std::clamp(edge.sign * 2 * slope[i] / edge.height, -1.0, 1.0);
          check::equal(reward[i], gain - std::min(crossed, edge.most_lost) - pull[i + n % 7]);
          const double over = edge.sign * ((value[i] - edge.zero) / edge.height - 0.5);
          if (over > 0) crossed += over * edge.row_px;
        }
      }
    }
  }
}

}  // namespace

int main() {
  brute_force();
  ties();
  spiral();
  flat();
  one_row();
  large();
  steps();
  worth_of_edges();
  return check::result();
}
