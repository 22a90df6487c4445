// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "mode_bins.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const ModeKernels mode;
}
namespace {

void bins(const float* values, std::size_t n, const BinScale& scale, std::int32_t* out) {
  const BinScale s = scale;
  for (std::size_t i = 0; i < n; ++i) {
    const double position = ((static_cast<double>(values[i]) - s.origin) / s.unit + s.shift) * s.scale;
    const auto beside = mode_bins + static_cast<std::int32_t>(i % beside_bins);
    const double within = position < 0 || position > mode_bins ? 0 : position;
    const auto bin = static_cast<std::int32_t>(within);
    const std::int32_t inside = bin < mode_bins ? bin : mode_bins - 1;
    out[i] = position >= 0 && position <= mode_bins ? inside : beside;
  }
}

// e^x = 2^k e^r with |r| <= ln 2 / 2, the latter by its power series: to about one unit in the last place.
[[gnu::always_inline]] inline Lanes<double> exponential(const Lanes<double>& x) {
  constexpr double least = -690;
  constexpr double log2_e = 0x1.71547652b82fep+0;    // NOLINT(modernize-use-std-numbers): no library here
  constexpr double ln2_high = 0x1.62e42fefa3800p-1;  // k times it is exact. NOLINT(modernize-use-std-numbers)
  constexpr double ln2_low = 0x1.ef35793c76730p-45;
  constexpr double whole = 0x1.8p52;  // added to a number it rounds that to a whole one, in the last bits
  constexpr double factorials[] = {1,      1,       2,        6,         24,         120,         720,
                                   5040.0, 40320.0, 362880.0, 3628800.0, 39916800.0, 479001600.0, 6227020800.0};
  const Lanes<double> shifted = x * log2_e + whole;
  const Lanes<double> k = shifted - whole;
  const Lanes<double> r = (x - k * ln2_high) - k * ln2_low;
  Lanes<double> power = Lanes<double>{} + 1 / factorials[13];
#pragma GCC unroll 13
  for (std::size_t i = 13; i-- > 0;) power = power * r + 1 / factorials[i];
  IndexLanes<double> exponent;
  __builtin_memcpy(&exponent, &shifted, sizeof(exponent));
  IndexLanes<double> bits;
  __builtin_memcpy(&bits, &power, sizeof(bits));
  bits += exponent << 52;
  Lanes<double> result;
  __builtin_memcpy(&result, &bits, sizeof(result));
  return x < least ? Lanes<double>{} : result;
}

void weigh(const double* values, std::size_t n, double level, double h, double* weights) {
  constexpr auto at_once = static_cast<std::size_t>(lanes<double>);
  const auto weight = [&](const double* from, double* to) {
    const Lanes<double> d = (load(from) - level) / h;
    store(exponential(-0.5 * d * d), to);
  };
  std::size_t i = 0;
  for (; i + at_once <= n; i += at_once) weight(values + i, weights + i);
  double rest[at_once] = {};
  for (std::size_t k = i; k < n; ++k) rest[k - i] = values[k];
  weight(rest, rest);
  for (std::size_t k = i; k < n; ++k) weights[k] = rest[k - i];
}

}  // namespace

namespace PYICG_KERNEL_SET {
const ModeKernels mode{bins, weigh};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
