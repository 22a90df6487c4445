// What Otsu's threshold needs of a row: its largest value, and how many pixels have each of 256 levels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::size_t grey_levels = 256;

// Tables that count in turn, which are added at the end: a count waits for the last one of the same level.
inline constexpr std::size_t level_tables = 4;

struct LevelKernels {
  // NaN are passed over; -infinity without any number.
  float (*largest)(const float* values, std::size_t n);

  // Counts every pixel in one of the tables counts[t * grey_levels + level]. The level is scale * value, rounded to the
  // nearest whole number (half-way cases to the even one) and clipped to 0 ... 255; 0 for a NaN.
  void (*count)(const float* values, std::size_t n, float scale, std::uint32_t* counts);

  // values / divisor
  void (*divide)(const float* values, std::size_t n, float divisor, float* out);
};

const LevelKernels& level_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
