// Scratch of glare.cpp and sharpness.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runs.hpp"

namespace pyicg::detail {

struct QualityBuffers {
  RunComponents spots;
  std::vector<std::uint64_t> words;
  std::vector<float> values;
  // Sums over boxes of 1, 2, 4 and 8 pixels' edge and what they hold: the last rows.
  std::array<std::vector<float>, 4> sums;
  std::array<std::vector<std::uint8_t>, 4> counts;
  std::vector<float> fine, coarse;  // means of boxes, by their first pixel: the last rows
  std::vector<float> largest;       // energy of each block of a row
  std::vector<std::uint32_t> bins;
};

}  // namespace pyicg::detail
