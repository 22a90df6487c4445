// Regions over a cut, and what is known of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "distance_field.hpp"
#include "pyicg/residual.hpp"
#include "runs.hpp"
#include "stable_order.hpp"

namespace pyicg::detail {

struct ResidualRegions {
  RunComponents found;
  std::vector<std::size_t> saturated;  // pixels of each region
  std::vector<HotSpot> spots;          // of each region
  std::vector<std::size_t> large;      // regions that count
  StableOrder order;
  std::vector<std::uint8_t> row_bits;  // all bits of each row of the mask: most rows hold none
  std::vector<std::uint64_t> words;
  RunComponents deep;  // of keep_deep_half
  std::vector<std::uint8_t> box;
  std::vector<float> depth;
  DistanceBuffers distances;
};

}  // namespace pyicg::detail
