// What spoils a frame: blur, motion and glare. Independent noise of the pixels is taken off, and neither exposure nor
// the height of an edge counts, so that a frame is not called blurred because it is dark or its lesion is pale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg {

namespace detail {
struct QualityBuffers;
}

// Result and buffers of one frame; reused between frames.
struct QualityWorkspace {
  QualityWorkspace();
  ~QualityWorkspace();
  QualityWorkspace(QualityWorkspace&&) noexcept;
  QualityWorkspace& operator=(QualityWorkspace&&) noexcept;
  QualityWorkspace(const QualityWorkspace&) = delete;
  QualityWorkspace& operator=(const QualityWorkspace&) = delete;

  std::vector<std::uint8_t> glare;  // result of glare_fraction: non-zero in a spot that counts
  std::unique_ptr<detail::QualityBuffers> own;
};

// Share of the pixels that lie in spots of glare: connected pixels that are saturated or over three times the median of
// what is bright (smoothed signal over `bright_level`; without any such pixel, that level), at least 4 (fewer are the
// sensor's) and fewer than `min_area_px` (more may be a lesion). NaN where the level is none. Fills ws.glare.
double glare_fraction(ImageView<const float> data, ImageView<const std::uint8_t> mask, ImageView<const float> smooth,
                      double bright_level, double min_area_px, QualityWorkspace& ws);

struct Sharpness {
  // 1/px: reciprocal width of the steepest edges, as the sigma of a blurred step, in an image of 2 x 2 px means. It is
  // up to a third too large, with the direction and curvature of the edges: a scale to compare frames of one scene by.
  double focus = nan;
  // Least over largest focus among all directions: 1 where the edges are as sharp in every direction.
  double isotropy = nan;
};

// NaN where no detail stands out of the noise; the isotropy also where all edges lie in one direction. Needs ws.glare:
// what is near glare is left out.
//
// An edge of width w has a gradient energy in proportion to 1/w. Differences of neighbouring means of k x k px widen it
// by k^2/6, so the ratio R of the energies at k = 2 and k = 8 tells the width: 1/w = sqrt(6 (R^2 - 1) / (64 - 4)). Fine
// energies are products of gradients that share no pixel, and so free of noise on average; from coarse ones it is taken
// off. Both are summed where the coarse energy is at least an eighth of its 99.9th percentile.
Sharpness sharpness(ImageView<const float> data, ImageView<const std::uint8_t> mask, QualityWorkspace& ws);

}  // namespace pyicg
