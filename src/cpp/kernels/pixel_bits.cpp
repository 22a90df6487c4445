// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "pixel_bits.hpp"

#include "lanes.hpp"
#include "packed_flags.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const BitKernels bits;
}
namespace {

template <class Holds>
void each_word(std::size_t n, std::uint64_t* words, const Holds& holds) {
  std::uint8_t flags[flags_packed];
  std::size_t x = 0;
  for (; x + flags_packed <= n; x += flags_packed) {
    for (std::size_t i = 0; i < flags_packed; ++i) flags[i] = holds(x + i);
    words[x / flags_packed] = packed(flags);
  }
  if (x == n) return;
  for (std::size_t i = 0; i < flags_packed; ++i) flags[i] = x + i < n ? holds(x + i) : std::uint8_t{0};
  words[x / flags_packed] = packed(flags);
}

void over(const float* values, float level, std::size_t n, std::uint64_t* words) {
  each_word(n, words, [=](std::size_t i) { return static_cast<std::uint8_t>(values[i] > level ? 1 : 0); });
}

void finite(const float* values, std::size_t n, std::uint64_t* words) {
  constexpr float largest = __FLT_MAX__;
  each_word(n, words,
            [=](std::size_t i) { return static_cast<std::uint8_t>(__builtin_fabsf(values[i]) <= largest ? 1 : 0); });
}

void equal(const std::uint8_t* pixels, std::uint8_t value, std::size_t n, std::uint64_t* words) {
  each_word(n, words, [=](std::size_t i) { return static_cast<std::uint8_t>(pixels[i] == value ? 1 : 0); });
}

void any_of(const std::uint8_t* pixels, std::uint8_t bits, std::size_t n, std::uint64_t* words) {
  each_word(n, words, [=](std::size_t i) { return static_cast<std::uint8_t>((pixels[i] & bits) != 0 ? 1 : 0); });
}

std::uint8_t all_bits(const std::uint8_t* pixels, std::size_t n) {
  std::uint8_t all = 0;
  for (std::size_t i = 0; i < n; ++i) all |= pixels[i];
  return all;
}

float largest(const float* values, std::size_t n) {
  constexpr auto at_once = static_cast<std::size_t>(lanes<float>);
  float most = -__builtin_inff();
  Lanes<float> found = most + Lanes<float>{};
  std::size_t x = 0;
  for (; x + at_once <= n; x += at_once) {
    const Lanes<float> v = load(values + x);
    found = v > found ? v : found;
  }
  for (std::size_t k = 0; k < at_once; ++k) most = found[k] > most ? found[k] : most;
  for (; x < n; ++x) most = values[x] > most ? values[x] : most;
  return most;
}

}  // namespace

namespace PYICG_KERNEL_SET {
const BitKernels bits{over, finite, equal, any_of, all_bits, largest};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
