// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "level_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const LevelKernels levels;
}
namespace {

using Floats = Lanes<float>;
using Words = Lanes<std::uint32_t>;
constexpr auto together = static_cast<std::size_t>(lanes<float>);

Floats larger(const Floats& a, const Floats& b) { return a > b ? a : b; }  // b where a is a NaN

void largest(const float* values, std::size_t n, float* out) {
  constexpr std::size_t word = 64;
  constexpr std::size_t registers = 4;  // a maximum waits for the last one
  constexpr float none = -__builtin_inff();
  std::size_t x = 0;
  for (; x + word <= n; x += word) {
    Floats high[registers];
    for (std::size_t k = 0; k < registers; ++k) high[k] = larger(load(values + x + k * together), none + Floats{});
    for (std::size_t i = registers * together; i < word; i += registers * together) {
      for (std::size_t k = 0; k < registers; ++k) high[k] = larger(load(values + x + i + k * together), high[k]);
    }
    const Floats all = larger(larger(high[0], high[1]), larger(high[2], high[3]));
    float most = none;
    for (std::size_t k = 0; k < together; ++k) most = all[k] > most ? all[k] : most;
    out[x / word] = most;
  }
  if (x == n) return;
  float most = none;
  for (std::size_t i = x; i < n; ++i) most = values[i] > most ? values[i] : most;
  out[x / word] = most;
}

// The levels in the lowest bytes: a sum with 1.5 * 2^23 has no room for a fraction, and is rounded as IEEE 754 rounds.
Words level_of(const Floats& values, float scale) {
  constexpr float whole = 12582912.0F;
  constexpr float top = grey_levels - 1;
  const Floats scaled = values * scale;
  const Floats above = larger(scaled, Floats{});
  const Floats rounded = (above < top ? above : top + Floats{}) + whole;
  Words bits;
  __builtin_memcpy(&bits, &rounded, sizeof(bits));
  return bits & 0xFFU;
}

void count(const float* values, std::size_t n, float scale, LevelPairs* counts) {
  constexpr std::size_t block = 4 * together;
  std::uint32_t* const pairs = counts->pairs;
  std::size_t x = 0;
  for (; x + block <= n; x += block) {
    const Words packed = level_of(load(values + x), scale) | level_of(load(values + x + together), scale) << 8 |
                         level_of(load(values + x + 2 * together), scale) << 16 |
                         level_of(load(values + x + 3 * together), scale) << 24;
    std::uint64_t words[together / 2];
    __builtin_memcpy(words, &packed, sizeof(words));
    for (const std::uint64_t four : words) {
      ++pairs[four & 0xFFFF];
      ++pairs[(four >> 16) & 0xFFFF];
      ++pairs[(four >> 32) & 0xFFFF];
      ++pairs[four >> 48];
    }
  }
  for (; x < n; x += together) {
    float rest[together] = {};
    const std::size_t left = n - x < together ? n - x : together;
    for (std::size_t k = 0; k < left; ++k) rest[k] = values[x + k];
    const Words level = level_of(load(rest), scale);
    for (std::size_t k = 0; k < left; ++k) ++counts->singles[level[k]];
  }
}

void divide(const float* values, std::size_t n, float divisor, float* out) {
  for (std::size_t x = 0; x < n; ++x) out[x] = values[x] / divisor;
}

}  // namespace

namespace PYICG_KERNEL_SET {
const LevelKernels levels{largest, count, divide};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
