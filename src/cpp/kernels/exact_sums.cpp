// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "exact_sums.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const SumKernels sums;
}
namespace {

using Doubles = Lanes<double>;
constexpr auto together = static_cast<std::size_t>(lanes<double>);
constexpr std::size_t ways = 4;
constexpr std::size_t registers = ways / together;

template <class V>
void add(const V& v, V& total, V& lost) {
  const V next = total + v;
  const V taken = next - total;
  lost += (total - (next - taken)) + (v - taken);
  total = next;
}

template <class Term>
Sum sum_of(const float* values, std::size_t n, const Term& term) {
  Doubles totals[registers] = {};
  Doubles losses[registers] = {};
  std::size_t x = 0;
  for (; x + ways <= n; x += ways) {
    for (std::size_t k = 0; k < registers; ++k) {
      add(term(load_doubles(values + x + k * together)), totals[k], losses[k]);
    }
  }
  double total[ways];
  double lost[ways];
  for (std::size_t k = 0; k < registers; ++k) {
    store(totals[k], total + k * together);
    store(losses[k], lost + k * together);
  }
  for (; x < n; ++x) add(term(static_cast<double>(values[x])), total[0], lost[0]);
  Sum sum;
  for (std::size_t k = 0; k < ways; ++k) {
    add(total[k], sum.total, sum.lost);
    sum.lost += lost[k];
  }
  return sum;
}

RowSum sum_values(const float* values, std::size_t n) {
  using Floats = Lanes<float>;
  constexpr auto at_once = static_cast<std::size_t>(lanes<float>);
  float least = __builtin_inff();
  float most = -__builtin_inff();
  Floats low = least + Floats{};
  Floats high = most + Floats{};
  std::size_t x = 0;
  for (; x + at_once <= n; x += at_once) {
    const Floats v = load(values + x);
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  const auto take = [&](float lower, float upper) {
    least = lower < least ? lower : least;
    most = upper > most ? upper : most;
  };
  for (std::size_t k = 0; k < at_once; ++k) take(low[k], high[k]);
  for (; x < n; ++x) take(values[x], values[x]);
  return {sum_of(values, n, [](const auto& v) { return v; }), least, most};
}

Sum sum_squares(const float* values, std::size_t n, double mean) {
  return sum_of(values, n, [mean](const auto& v) {
    const auto d = v - mean;
    return d * d;
  });
}

}  // namespace

namespace PYICG_KERNEL_SET {
const SumKernels sums{sum_values, sum_squares};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
