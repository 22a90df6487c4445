// Where bright begins: thresholds of a histogram, and a cut with hysteresis.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "label.hpp"
#include "pyicg/background.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/rim.hpp"

namespace pyicg::detail {

// The cut of 256 bins between least and most value that best separates two classes: Otsu, IEEE Trans. Syst. Man
// Cybern. 9 (1979) 62. NaN are left out; a single value is its own threshold; NaN without any value.
double otsu_threshold(std::span<const float> values);

// The same with three classes and two cuts, by trying all pairs.
std::array<double, 2> multi_otsu_thresholds(std::span<const float> values);

// A pixel over `low` is bright when its component holds one over `high`.
struct BrightCut {
  double low;
  double high;
};

// hysteresis: high is sbr_cut x background, and at least 5 noise over it; low is half way to it, and at least 3 noise
// over the background. Otherwise both are the histogram's (upper) threshold, and at least 5 noise over the background:
// a frame with nothing in it is split in the middle of its noise. `noise` is the standard deviation of one pixel of
// `smooth`.
BrightCut bright_cut(ThresholdRule rule, std::span<const float> smooth, const Background& background, double sbr_cut,
                     double noise);

// Buffers reused between calls.
struct BrightBuffers {
  RunComponents all;               // over the low cut
  std::vector<std::int32_t> kept;  // by label: the label among those that hold a pixel over the high one
  std::vector<Component> components;
};

// Fills `bright` (0 or 1) and returns its components (connected over corners); labels(y, x) = k for component k - 1
// (where there is none, labels are not written). They are the buffers' own.
const std::vector<Component>& bright_components(ImageView<const float> smooth, const BrightCut& cut,
                                                ImageView<std::uint8_t> bright, ImageView<std::int32_t> labels,
                                                BrightBuffers& buffers);

}  // namespace pyicg::detail
