// What Otsu's threshold needs of a row: its largest values, and how many pixels have each of 256 levels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::size_t grey_levels = 256;

// Counts of pixels by their level, most of them in twos: as far apart as it pleases the kernel, but each pixel once. So
// there are half as many counts, and a count seldom waits for the last one of the same levels.
struct LevelPairs {
  std::uint32_t pairs[grey_levels * grey_levels];  // NOLINT(modernize-avoid-c-arrays): kernels know no library
  std::uint32_t singles[grey_levels];              // NOLINT(modernize-avoid-c-arrays)
};

struct LevelKernels {
  // out[i] is the largest of the 64 values from 64 i on, those whose bits share a word (pixel_bits.hpp). NaN are passed
  // over; -infinity without any number.
  void (*largest)(const float* values, std::size_t n, float* out);

  // Counts the pixels. The level is scale * value, rounded to the nearest whole number (half-way cases to the even one)
  // and clipped to 0 ... 255; 0 for a NaN.
  void (*count)(const float* values, std::size_t n, float scale, LevelPairs* counts);

  // values / divisor
  void (*divide)(const float* values, std::size_t n, float divisor, float* out);
};

const LevelKernels& level_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
