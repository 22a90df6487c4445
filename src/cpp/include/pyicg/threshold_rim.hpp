// The rim as a thresholded mask, the way most tools find it: Gaussian blur, Otsu's threshold, connected regions that
// are large enough, their holes, contours through pixels, distances and thickness in whole pixels. It is there to be
// compared with. Its boundaries are half levels of a blurred picture, biased in the unsafe direction; the rim of room 3
// (rim.hpp) is a fitted model that is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/runner.hpp"
#include "pyicg/statistics.hpp"

namespace pyicg {

inline constexpr std::size_t thickness_rays = 360;

struct ThresholdOptions {
  double smooth_px = 2;           // sigma of the Gaussian, 0.5 to 100
  double min_area_px = 64;        // smaller regions are no rim
  double background_level = nan;  // what SBR is a multiple of; NaN: there is no SBR
  bool sbr_map = false;
  std::span<const double> percentages;  // of the SBR in the rims
};

struct BorderPixel {
  std::int32_t y = 0;
  std::int32_t x = 0;
};

// One closed contour: pixels of a rim next to what surrounds it, or next to one of its holes.
struct RimBorder {
  std::size_t rim = 0;  // index
  bool hole = false;
  std::span<const BorderPixel> pixels;  // from each to the next, and from the last to the first, one of 8 neighbours
};

// Finds the rims of frames of one shape, one frame after the other. Maps, borders and figures are those of the last
// frame; their memory is the object's, and used again. One thread at a time.
class ThresholdRims {
 public:
  ThresholdRims(std::size_t height, std::size_t width);
  ~ThresholdRims();
  ThresholdRims(ThresholdRims&&) noexcept;
  ThresholdRims& operator=(ThresholdRims&&) noexcept;
  ThresholdRims(const ThresholdRims&) = delete;
  ThresholdRims& operator=(const ThresholdRims&) = delete;

  // Bits do not depend on `threads`. Throws Error(input) for another shape or options out of range.
  void find(ImageView<const float> data, ImageView<const std::uint8_t> mask, const ThresholdOptions& options,
            const Threads& threads = {});

  [[nodiscard]] std::size_t height() const;
  [[nodiscard]] std::size_t width() const;

  // A smoothed pixel is bright when it exceeds this; NaN where the frame has one level only, or none over 0.
  [[nodiscard]] double threshold() const;

  [[nodiscard]] ImageView<const std::uint8_t> rim_mask() const;   // 0 or 1: regions of bright pixels, over corners too
  [[nodiscard]] ImageView<const std::uint8_t> core_mask() const;  // 0 or 1: what they enclose
  [[nodiscard]] ImageView<const std::int32_t> labels() const;     // k + 1 on rim k and in its holes, 0 elsewhere
  [[nodiscard]] ImageView<const float> distances() const;         // of a rim's pixels to the nearest one that is none
  [[nodiscard]] ImageView<const float> sbr_map() const;           // no data pointer unless asked for

  // Rims are in order of their first pixels, row by row. Borders: a rim's outer one, then its holes.
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] std::span<const RimBorder> borders() const;

  // count() x thickness_rays: twice the largest distance along each ray from the middle of the rim's box, at every
  // whole pixel from there, linear between pixels; angle 2 pi k / thickness_rays from +x towards +y.
  [[nodiscard]] std::span<const float> thickness() const;

  // Of the SBR of the rims' pixels; nothing without a background level.
  [[nodiscard]] const RegionStatistics& sbr() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace pyicg
