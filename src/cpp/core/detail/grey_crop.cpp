#include "grey_crop.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "../../kernels/gaussian.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

// Weights of the cubic B-spline on the pixels floor(x) - 1 .. floor(x) + 2.
std::array<double, 4> spline(double t) {
  const double u = 1 - t;
  return {u * u * u / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * u * u + 3 * u * u * u) / 6, t * t * t / 6};
}

}  // namespace

void GreyCrop::cut(ImageView<const float> data, ImageView<const std::uint8_t> mask, std::uint8_t invalid,
                   std::ptrdiff_t centre_y, std::ptrdiff_t centre_x, std::size_t reach_px, double smooth_px) {
  blur_ = 1.0 / 3 + smooth_px * smooth_px;
  const auto reach = static_cast<std::ptrdiff_t>(reach_px);
  const std::ptrdiff_t y0 = std::max<std::ptrdiff_t>(centre_y - reach, 0);
  const std::ptrdiff_t x0 = std::max<std::ptrdiff_t>(centre_x - reach, 0);
  const std::ptrdiff_t y1 = std::min(centre_y + reach, static_cast<std::ptrdiff_t>(data.height) - 1);
  const std::ptrdiff_t x1 = std::min(centre_x + reach, static_cast<std::ptrdiff_t>(data.width) - 1);
  height_ = static_cast<std::size_t>(y1 - y0 + 1);
  width_ = static_cast<std::size_t>(x1 - x0 + 1);
  origin_y_ = static_cast<double>(centre_y - y0);
  origin_x_ = static_cast<double>(centre_x - x0);
  values_.resize(height_ * width_);
  weights_.clear();
  for (std::size_t y = 0; y < height_; ++y) {
    const float* const from = data.row(y + static_cast<std::size_t>(y0)) + x0;
    const std::uint8_t* const flags = mask.row(y + static_cast<std::size_t>(y0)) + x0;
    float* const values = values_.data() + y * width_;
    std::copy_n(from, width_, values);
    unsigned found = 0;
    for (std::size_t x = 0; x < width_; ++x) found |= flags[x];
    if ((found & invalid) == 0) continue;
    if (weights_.empty()) weights_.assign(values_.size(), 1.0F);
    for (std::size_t x = 0; x < width_; ++x) {
      if ((flags[x] & invalid) == 0) continue;
      values[x] = 0;
      weights_[y * width_ + x] = 0;
    }
  }
  if (smooth_px > 0) {
    const ImageView<float> values{values_.data(), height_, width_};
    kernels::gaussian(values, smooth_px, values, scratch_);
    if (!weights_.empty()) {
      const ImageView<float> weights{weights_.data(), height_, width_};
      kernels::gaussian(weights, smooth_px, weights, scratch_);
    }
  }
}

// Whether all 4 x 4 pixels that are read there belong to the crop.
bool GreyCrop::amid(double dy, double dx) const {
  const double top = origin_y_ + std::floor(dy) - 1;
  const double left = origin_x_ + std::floor(dx) - 1;
  return top >= 0 && left >= 0 && top + 3 < static_cast<double>(height_) && left + 3 < static_cast<double>(width_);
}

double GreyCrop::at(double dy, double dx) const {
  // The fraction is that of the offset alone, so that a crop cut by the frame's border reads the same bits.
  const double fy = std::floor(dy);
  const double fx = std::floor(dx);
  const double y = origin_y_ + dy;
  const double x = origin_x_ + dx;
  if (!(y >= 0 && x >= 0 && y <= static_cast<double>(height_ - 1) && x <= static_cast<double>(width_ - 1))) return nan;
  const auto wy = spline(dy - fy);
  const auto wx = spline(dx - fx);
  const auto top = static_cast<std::ptrdiff_t>(origin_y_ + fy) - 1;
  const auto left = static_cast<std::ptrdiff_t>(origin_x_ + fx) - 1;
  double sum = 0;
  double weight = 0;
  for (std::size_t a = 0; a < 4; ++a) {
    const std::ptrdiff_t py = top + static_cast<std::ptrdiff_t>(a);
    if (py < 0 || std::cmp_greater_equal(py, height_)) continue;
    const std::size_t row = static_cast<std::size_t>(py) * width_;
    for (std::size_t b = 0; b < 4; ++b) {
      const std::ptrdiff_t px = left + static_cast<std::ptrdiff_t>(b);
      if (px < 0 || std::cmp_greater_equal(px, width_)) continue;
      const std::size_t i = row + static_cast<std::size_t>(px);
      const double w = wy.at(a) * wx.at(b);
      sum += w * static_cast<double>(values_[i]);
      weight += weights_.empty() ? w : w * static_cast<double>(weights_[i]);
    }
  }
  return weight > 0.5 ? sum / weight : nan;
}

void GreyCrop::along(const LinePlaces& line, std::span<double> signals) const {
  const auto place = [&](std::size_t i) {
    const double t = line.step * static_cast<double>(line.first + static_cast<int>(i));
    return std::pair{line.y + t * line.dy, line.x + t * line.dx};
  };
  const auto read = [&](std::size_t i) {
    const auto [dy, dx] = place(i);
    signals[i] = at(dy, dx);
  };
  const auto is_amid = [&](std::size_t i) {
    const auto [dy, dx] = place(i);
    return amid(dy, dx);
  };
  // A line crosses the middle of a rectangle in one piece.
  std::size_t from = 0;
  std::size_t to = signals.size();
  while (from < to && !is_amid(from)) read(from++);
  while (to > from && !is_amid(to - 1)) read(--to);
  if (to - from < kernels::spline_block) {
    while (from < to) read(from++);
    return;
  }
  LinePlaces middle = line;
  middle.first += static_cast<int>(from);
  kernels::spline_kernels().read(
      {values_.data(), weights_.empty() ? nullptr : weights_.data(), width_, origin_y_, origin_x_}, middle, to - from,
      signals.data() + from);
}

}  // namespace pyicg::detail
