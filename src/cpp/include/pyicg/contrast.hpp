// Room 2, second half: every contrast definition of the field between a signal region and a background, each with its
// 95 % interval.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/background.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg {

struct RegionStats {
  std::size_t n = 0;
  double mean = nan;
  double sd = nan;   // spatial, n - 1 in the denominator
  double sem = nan;  // standard error of the mean, the budget's total
  std::size_t saturated = 0;
  bool cut_off = false;  // many of its pixels are cut off at count 0, and its mean lies near there
  UncertaintyBudget budget;
  double dof = infinity;          // degrees of freedom behind the spatial part of sem
  double effective_pixels = nan;  // independent values as good as the n correlated ones
};

// The pixels where region is non-zero. Pixels whose mask forbids it are left out, but saturated ones stay in: their
// count is a lower bound, and `saturated` tells how many there are. `placement_px` is the standard deviation, per axis,
// of where the region lies; 0: the region is exact. Throws Error(input or unit).
RegionStats region_stats(const CalibratedView& frame, ImageView<const std::uint8_t> region, double placement_px = 0);
// The same in the buffers of a workspace.
RegionStats region_stats(const CalibratedView& frame, ImageView<const std::uint8_t> region, double placement_px,
                         BackgroundWorkspace& workspace);

struct Contrast {
  Measurement sbr;               // T / B on calibrated data
  Measurement sbr_raw;           // (T + D) / (B + D): the camera's offset D left in
  Measurement weber;             // (T - B) / B
  Measurement michelson;         // (T - B) / (T + B)
  Measurement cnr;               // (T - B) / s_B
  Measurement cvr;               // (T - B) / sqrt(s_T^2 + s_B^2)
  Measurement signal_level;      // T
  Measurement background_level;  // B
  UncertaintyBudget signal_budget;
  UncertaintyBudget background_budget;
};

// `offset` is the mean dark in the unit of the data; `carried` a reason every figure carries (uncalibrated, or none).
// The signal's heterogeneity is at least what the background's patches of its size scatter by, relative to their level.
Contrast contrast(const RegionStats& region, const Background& background, double offset, Reason carried);

// a / b with its 95 % interval by Fieller's theorem for independent means with standard errors sa, sb; t is the 97.5 %
// point of their distribution. The interval is unbounded, and the ratio NaN with `background_not_resolved`, where b is
// not larger than t sb.
Measurement fieller_ratio(double a, double sa, double b, double sb, double t = z95);

// SBR of a level with standard error `sem`; undefined where the background is.
Measurement signal_ratio(double level, double sem, const Background& background);

}  // namespace pyicg
