// Compiled once for each instruction set: see lanes.hpp.
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
const PathKernels path{step};
}
}  // namespace pyicg::kernels
