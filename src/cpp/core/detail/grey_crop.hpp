// A piece of a frame around a lesion, read between its pixels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../../kernels/spline_lines.hpp"
#include "pyicg/image_view.hpp"

namespace pyicg::detail {

// Places along a straight line, as offsets from the centre of a crop.
using LinePlaces = kernels::SplineLine;

class GreyCrop {
 public:
  GreyCrop() = default;
  GreyCrop(ImageView<const float> data, ImageView<const std::uint8_t> mask, std::uint8_t invalid,
           std::ptrdiff_t centre_y, std::ptrdiff_t centre_x, std::size_t reach_px, double smooth_px) {
    cut(data, mask, invalid, centre_y, centre_x, reach_px, smooth_px);
  }

  // Pixels within reach_px of a pixel, blurred by a Gaussian of sigma smooth_px (0: not at all). Pixels whose mask
  // holds a bit of `invalid` have no weight. Keeps its memory from cut to cut.
  void cut(ImageView<const float> data, ImageView<const std::uint8_t> mask, std::uint8_t invalid,
           std::ptrdiff_t centre_y, std::ptrdiff_t centre_x, std::size_t reach_px, double smooth_px);

  // Signal at an offset from the centre, px: a cubic B-spline over 4 x 4 pixels, which blurs by 1/3 px^2 along either
  // axis wherever it lies (interpolation would blur by an amount that changes between pixels). NaN outside the frame
  // and where most of it is not valid.
  [[nodiscard]] double at(double dy, double dx) const;
  // The same, bit for bit, at as many places along a line as `signals` holds.
  void along(const LinePlaces& line, std::span<double> signals) const;
  // Variance of the blur that reading adds along either axis, px^2.
  [[nodiscard]] double blur() const { return blur_; }

 private:
  [[nodiscard]] bool amid(double dy, double dx) const;

  std::vector<float> values_;   // 0 where not valid
  std::vector<float> weights_;  // 1 where valid; empty when all are
  std::size_t height_ = 0, width_ = 0;
  double origin_y_ = 0, origin_x_ = 0;  // of the centre within the crop
  double blur_ = 0;
  std::vector<float> scratch_;
};

}  // namespace pyicg::detail
