// Room 2: background level and every contrast definition of the field, each with its interval.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg {

struct RegionStats {
  std::size_t n = 0;
  double mean = nan;
  double sd = nan;  // spatial, n - 1 in the denominator
  std::size_t saturated = 0;
};

// Mean and standard deviation of the pixels where region is non-zero. Pixels whose mask forbids it are left out, but
// saturated ones stay in: their count is a lower bound, and `saturated` tells how many there are.
RegionStats region_stats(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                         ImageView<const std::uint8_t> region);

enum class BackgroundPolicy { mode, median, percentile, mask };

struct Background {
  double level = nan;
  double sigma = nan;  // spatial standard deviation of one pixel
  double sem = nan;    // standard error of the level
  std::size_t n_pixels = 0;
  Reason reason = Reason::none;
  bool empty_field = false;  // a dark field without tissue was left out (mode)
};

// Background of a frame. `use` (non-zero = use) and `exclude` (non-zero = leave out) may have a null data pointer;
// BackgroundPolicy::mask needs `use`. `scratch` is reused between calls;
// `step` is the size of one count in the unit of the data, 0 where there are no whole counts.
//   mode        centre of the densest part of the histogram: robust to a bright lesion and to a dark drape; where that
//               part is an empty field (a tenth of the pixels lie over 20 times its level), of the rest
//   median      median after clipping at 3 sigma until nothing changes
//   percentile  25th percentile
//   mask        mean and standard deviation of `use`
Background estimate_background(ImageView<const float> data, ImageView<const std::uint8_t> mask, BackgroundPolicy policy,
                               ImageView<const std::uint8_t> use, ImageView<const std::uint8_t> exclude,
                               std::vector<float>& scratch, double step = 0);

struct Contrast {
  Measurement sbr;               // T / B on calibrated data
  Measurement sbr_raw;           // (T + D) / (B + D): the camera's offset D left in
  Measurement weber;             // (T - B) / B
  Measurement michelson;         // (T - B) / (T + B)
  Measurement cnr;               // (T - B) / s_B
  Measurement cvr;               // (T - B) / sqrt(s_T^2 + s_B^2)
  Measurement signal_level;      // T
  Measurement background_level;  // B
};

// `offset` is the mean dark in the unit of the data; `why` a reason every figure carries (uncalibrated, or none).
Contrast contrast(const RegionStats& signal, const Background& background, double offset, Reason why);

// a / b with its 95 % interval by Fieller's theorem for independent means with standard errors sa, sb. The interval is
// unbounded, and the ratio NaN with `background_not_resolved`, where b is not larger than 1.96 sb.
Measurement fieller_ratio(double a, double sa, double b, double sb);

// SBR of a level with standard error `sem`; undefined where the background is.
Measurement signal_ratio(double level, double sem, const Background& background);

}  // namespace pyicg
