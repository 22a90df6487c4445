// Exact statistics of the valid pixels of a region in one pass: no sort, and no copy of the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/runner.hpp"

namespace pyicg {

struct RegionStatistics {
  std::size_t n = 0;            // pixels the figures stand on
  std::size_t n_left_out = 0;   // pixels of the region that the mask forbids, or that are not finite
  std::size_t n_saturated = 0;  // how many of those are saturated
  double minimum = nan;
  double maximum = nan;
  double sum = 0;
  double mean = nan;
  double sd = nan;  // n - 1 in the denominator; NaN for one pixel
  double median = nan;
  double mad = nan;                 // median of |x - median|, not scaled
  std::vector<double> percentiles;  // one per percentage asked for; linear between order statistics
};

// Of the pixels where `region` is non-zero (everywhere where its data pointer is null) and the mask allows it. Order
// statistics are exact; sums are in double, compensated. The bits do not depend on the number of threads.
// Throws Error(input) for shapes that differ or a percentage outside 0 to 100.
RegionStatistics region_statistics(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                                   ImageView<const std::uint8_t> region, std::span<const double> percentages,
                                   const Threads& threads = {});

}  // namespace pyicg
