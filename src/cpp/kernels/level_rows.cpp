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

float largest(const float* values, std::size_t n) {
  constexpr std::size_t registers = 4;  // a maximum waits for the last one
  float most = -__builtin_inff();
  Floats high[registers];
  for (Floats& h : high) h = most + Floats{};
  std::size_t x = 0;
  for (; x + registers * together <= n; x += registers * together) {
    for (std::size_t k = 0; k < registers; ++k) high[k] = larger(load(values + x + k * together), high[k]);
  }
  for (std::size_t k = 1; k < registers; ++k) high[0] = larger(high[k], high[0]);
  for (std::size_t k = 0; k < together; ++k) most = high[0][k] > most ? high[0][k] : most;
  for (; x < n; ++x) most = values[x] > most ? values[x] : most;
  return most;
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

void count(const float* values, std::size_t n, float scale, std::uint32_t* counts) {
  static_assert(level_tables == 4);
  constexpr std::size_t block = 4 * together;
  std::size_t x = 0;
  for (; x + block <= n; x += block) {
    // Four levels to a number, in whatever order: that of pixels does not matter.
    const Words packed = level_of(load(values + x), scale) | level_of(load(values + x + together), scale) << 8 |
                         level_of(load(values + x + 2 * together), scale) << 16 |
                         level_of(load(values + x + 3 * together), scale) << 24;
    std::uint64_t words[together / 2];
    __builtin_memcpy(words, &packed, sizeof(words));
    for (const std::uint64_t eight : words) {
      ++counts[eight & 0xFF];
      ++counts[grey_levels + ((eight >> 8) & 0xFF)];
      ++counts[2 * grey_levels + ((eight >> 16) & 0xFF)];
      ++counts[3 * grey_levels + ((eight >> 24) & 0xFF)];
      ++counts[(eight >> 32) & 0xFF];
      ++counts[grey_levels + ((eight >> 40) & 0xFF)];
      ++counts[2 * grey_levels + ((eight >> 48) & 0xFF)];
      ++counts[3 * grey_levels + (eight >> 56)];
    }
  }
  for (; x < n; x += together) {
    float rest[together] = {};
    const std::size_t left = n - x < together ? n - x : together;
    for (std::size_t k = 0; k < left; ++k) rest[k] = values[x + k];
    const Words level = level_of(load(rest), scale);
    for (std::size_t k = 0; k < left; ++k) ++counts[level[k]];
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
