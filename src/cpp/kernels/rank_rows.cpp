// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "rank_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const RankKernels ranks;
}
namespace {

void bins(const float* values, std::size_t n, float origin, float scale, std::int32_t* out) {
  using Floats = Lanes<float>;
  using Wholes = Lanes<std::int32_t>;
  constexpr auto together = static_cast<std::size_t>(lanes<float>);
  constexpr float last = rank_bins - 1;
  const auto write = [&](const float* from, std::int32_t* to) {
    const Floats v = load(from);
    const Floats place = (v - origin) * scale;
    const Floats above = place > 0.0F ? place : Floats{};  // also what is missing
    const Floats inside = above < last ? above : last + Floats{};
    const Wholes bin = __builtin_convertvector(inside, Wholes);
    store(v == v ? bin : rank_bins + Wholes{}, to);
  };
  std::size_t x = 0;
  for (; x + together <= n; x += together) write(values + x, out + x);
  if (x == n) return;
  float rest[together] = {};
  std::int32_t found[together] = {};
  for (std::size_t k = x; k < n; ++k) rest[k - x] = values[k];
  write(rest, found);
  for (std::size_t k = x; k < n; ++k) out[k] = found[k - x];
}

using Doubles = Lanes<double>;
constexpr auto together = static_cast<std::size_t>(lanes<double>);
constexpr std::size_t at_once = 8;
constexpr std::size_t registers = at_once / together;

void influences(const float* values, std::size_t n, const QuantileInfluence& influence, double* out) {
  const QuantileInfluence q = influence;
  const auto write = [&](const float* from, double* to) {
    const Doubles v = load_doubles(from);
    const Doubles below = q.below + Doubles{};
    const Doubles at = q.at + Doubles{};
    const Doubles above = q.above + Doubles{};
    const Doubles missing = v - v;  // NaN where it is, else 0. NOLINT(misc-redundant-expression)
    const Doubles found = v < q.level ? below : v > q.level ? above : at;
    store((v >= q.lo) & (v <= q.hi) ? found : missing, to);
  };
  std::size_t x = 0;
  for (; x + together <= n; x += together) write(values + x, out + x);
  float rest[together] = {};
  double results[together] = {};
  for (std::size_t k = x; k < n; ++k) rest[k - x] = values[k];
  write(rest, results);
  for (std::size_t k = x; k < n; ++k) out[k] = results[k - x];
}

void add_noise(const float* values, const float* variance, std::size_t n, double lo, double hi, NoiseSum* sum) {
  Doubles sums[registers];
  for (std::size_t k = 0; k < registers; ++k) sums[k] = load(sum->sum + k * together);
  IndexLanes<double> counts{};
  std::size_t x = 0;
  for (; x + at_once <= n; x += at_once) {
    for (std::size_t k = 0; k < registers; ++k) {
      const Doubles v = load_doubles(values + x + k * together);
      const auto within = (v >= lo) & (v <= hi);
      sums[k] += within ? load_doubles(variance + x + k * together) : Doubles{};
      counts -= within;
    }
  }
  for (std::size_t k = 0; k < registers; ++k) store(sums[k], sum->sum + k * together);
  for (std::size_t k = 0; k < together; ++k) sum->n += static_cast<std::size_t>(counts[k]);
  for (; x < n; ++x) {
    const auto v = static_cast<double>(values[x]);
    if (!(v >= lo && v <= hi)) continue;
    sum->sum[x % at_once] += static_cast<double>(variance[x]);
    ++sum->n;
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const RankKernels ranks{bins, influences, add_noise};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
