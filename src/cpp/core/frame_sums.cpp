#include "pyicg/frame_sums.hpp"

#include <algorithm>
#include <string>

#include "pyicg/error.hpp"

namespace pyicg {
namespace {

template <class T>
std::uint32_t largest_of(ImageView<const T> frame) {
  T largest = 0;
  for (std::size_t y = 0; y < frame.height; ++y) {
    const T* row = frame.row(y);
    for (std::size_t x = 0; x < frame.width; ++x) largest = std::max(largest, row[x]);
  }
  return largest;
}

}  // namespace

FrameSums::FrameSums(std::size_t height, std::size_t width, std::uint32_t full_scale)
    : height_(height), width_(width), full_scale_(full_scale) {
  if (height == 0 || width == 0) {
    throw Error(ErrorKind::input, "frame sums need a shape of at least one pixel, found " + std::to_string(height) +
                                      " x " + std::to_string(width));
  }
  if (full_scale < 1 || full_scale > 65535) {
    throw Error(ErrorKind::input, "full_scale is " + std::to_string(full_scale) + ", expected 1 to 65535");
  }
  sum_.assign(height * width, 0);
  sum_squares_.assign(height * width, 0);
  step_squares_.assign(height * width, 0);
  previous_.assign(height * width, 0);
  histogram_.assign(std::size_t{full_scale} + 1, 0);
}

template <class T>
void FrameSums::add_counts(ImageView<const T> frame) {
  if (frame.height != height_ || frame.width != width_) {
    throw Error(ErrorKind::input, "frame is " + std::to_string(frame.height) + " x " + std::to_string(frame.width) +
                                      ", expected " + std::to_string(height_) + " x " + std::to_string(width_) +
                                      "; use frames of one size");
  }
  const std::uint32_t largest = largest_of(frame);
  if (largest > full_scale_) {
    throw Error(ErrorKind::input, "frame holds " + std::to_string(largest) + ", expected at most " +
                                      std::to_string(full_scale_) + "; give the right bit depth");
  }
  const bool first = frame_totals_.empty();
  frame_totals_.push_back(0);  // the one thing that may throw comes before the sums change
  for (std::size_t y = 0; y < height_; ++y) {
    const T* row = frame.row(y);
    std::uint16_t* previous = previous_.data() + y * width_;
    std::int64_t* sum = sum_.data() + y * width_;
    std::int64_t* squares = sum_squares_.data() + y * width_;
    std::int64_t* steps = step_squares_.data() + y * width_;
    if (first) std::copy(row, row + width_, previous);  // no step before the first frame
    std::uint64_t total = 0;
    for (std::size_t x = 0; x < width_; ++x) {
      const std::uint32_t v = row[x];
      const std::uint32_t step = v - previous[x];  // wraps, and its square wraps back: |step| < 2^16
      sum[x] += v;
      const std::uint32_t square = v * v;
      const std::uint32_t step_square = step * step;
      squares[x] += square;
      steps[x] += step_square;
      previous[x] = static_cast<std::uint16_t>(v);
      total += v;
    }
    frame_totals_.back() += static_cast<std::int64_t>(total);
    for (std::size_t x = 0; x < width_; ++x) ++histogram_[row[x]];
  }
}

FrameSums::Ends FrameSums::ends() const {
  const auto used = [](std::int64_t n) { return n > 0; };
  const auto low = std::find_if(histogram_.begin(), histogram_.end(), used);
  if (low == histogram_.end()) return {};
  const auto high = std::find_if(histogram_.rbegin(), histogram_.rend(), used);
  Ends ends;
  ends.lowest = static_cast<std::uint32_t>(low - histogram_.begin());
  ends.highest = static_cast<std::uint32_t>(histogram_.rend() - high) - 1;
  ends.at_lowest = *low;
  ends.above_lowest = low + 1 == histogram_.end() ? 0 : *(low + 1);
  ends.at_highest = *high;
  ends.below_highest = high + 1 == histogram_.rend() ? 0 : *(high + 1);
  return ends;
}

void FrameSums::add(ImageView<const std::uint8_t> frame) { add_counts(frame); }
void FrameSums::add(ImageView<const std::uint16_t> frame) { add_counts(frame); }

}  // namespace pyicg
