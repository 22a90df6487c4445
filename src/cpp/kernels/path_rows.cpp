// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "path_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const PathKernels path;
}
namespace {

using Values = Lanes<double>;
constexpr std::size_t width = static_cast<std::size_t>(lanes<double>);

Values larger(const Values& a, const Values& b) { return a > b ? a : b; }
double larger(double a, double b) { return a > b ? a : b; }

void slopes(const double* value, std::size_t n, std::size_t reach, double* slope) {
  const std::size_t first = reach < n ? reach : n;
  const std::size_t last = n > 2 * reach ? n - reach : first;
  for (std::size_t i = 0; i < first; ++i) slope[i] = 0;
  for (std::size_t i = first; i < last; ++i) {
    const double d = value[i + reach] - *(value + i - reach);
    slope[i] = d == d ? d : 0.0;
  }
  for (std::size_t i = last; i < n; ++i) slope[i] = 0;
}

void rewards(const double* value, const double* slope, const double* pull, std::size_t n, const EdgeStep& edge,
             double* reward) {
  constexpr std::size_t block = 64;
  const EdgeStep e = edge;
  double gain[block];
  double crossing[block];
  double crossed[block];
  double sum = 0;
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t count = n - first < block ? n - first : block;
    const double* const v = value + first;
    const double* const s = slope + first;
    const double* const p = pull + first;
    double* const r = reward + first;
    for (std::size_t i = 0; i < count; ++i) {
      const double steep = 2 * e.sign * s[i] / e.height;
      const double least = steep < -1.0 ? -1.0 : steep;
      gain[i] = least > 1.0 ? 1.0 : least;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double over = e.sign * ((v[i] - e.zero) / e.height - 0.5);
      const double px = over * e.row_px;
      crossing[i] = over > 0 ? px : 0.0;
    }
    for (std::size_t i = 0; i < count; ++i) {
      crossed[i] = sum;
      sum += crossing[i];
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double lost = crossed[i] < e.most_lost ? crossed[i] : e.most_lost;
      r[i] = gain[i] - lost - p[i];
    }
  }
}

// The larger of two first, then less the cost: rounding keeps their order.
void step_block(const double* before, const double* costs, std::size_t max_step, const double* gain, double* after) {
  Values first = load(before);
  Values second = load(before + width);
  for (std::size_t d = 1; d <= max_step; ++d) {
    const double* low = before - d;
    const double* high = before + d;
    const double cost = costs[d];
    first = larger(larger(load(low), load(high)) - cost, first);
    second = larger(larger(load(low + width), load(high + width)) - cost, second);
  }
  store(first + load(gain), after);
  store(second + load(gain + width), after + width);
}

void step(const double* before, std::size_t n, const double* costs, std::size_t max_step, const double* gain,
          double* after) {
  constexpr std::size_t block = 2 * width;
  if (n >= block) {
    for (std::size_t i = 0; i + block < n; i += block) step_block(before + i, costs, max_step, gain + i, after + i);
    const std::size_t last = n - block;  // some of it once more
    step_block(before + last, costs, max_step, gain + last, after + last);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    double best = before[i];
    for (std::size_t d = 1; d <= max_step; ++d)
      best = larger(larger(*(before + i - d), before[i + d]) - costs[d], best);
    after[i] = best + gain[i];
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const PathKernels path{slopes, rewards, step};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
