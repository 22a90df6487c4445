// What order statistics need of a row: bins that rise with the values, and what each pixel does to a quantile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::int32_t rank_bins = 4096;  // and one more, of what is missing

// How a pixel moves a quantile: by one number below the level, by another above, not at all where it is clipped.
struct QuantileInfluence {
  double lo, hi;
  double level;
  double below, at, above;
};

// Sums that are the same whatever the registers' width.
struct NoiseSum {
  double sum[8];  // NOLINT(modernize-avoid-c-arrays): kernels know no library
  std::size_t n;
};

// Values that are missing are NaN.
struct RankKernels {
  // (v - origin) * scale, of which the first and the last bin hold all that lies outside.
  void (*bins)(const float* values, std::size_t n, float origin, float scale, std::int32_t* bins);

  // NaN where a value is missing.
  void (*influences)(const float* values, std::size_t n, const QuantileInfluence& influence, double* influences);

  // Adds the variance where the value lies within [lo, hi].
  void (*add_noise)(const float* values, const float* variance, std::size_t n, double lo, double hi, NoiseSum* sum);
};

const RankKernels& rank_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
