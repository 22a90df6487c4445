#include "pyicg/frame_sums.hpp"

#include <algorithm>
#include <string>

#include "pyicg/error.hpp"

namespace pyicg {
namespace {

struct FrameCounts {
  std::int64_t total = 0;
  std::int64_t zeros = 0;
  std::int64_t saturated = 0;
  std::uint32_t largest = 0;
};

// The sum of a row fits 64 bits, its counters 32 (rows are shorter than 2^32 pixels).
template <class T>
FrameCounts count(ImageView<const T> frame, std::uint32_t full_scale) {
  FrameCounts counts;
  for (std::size_t y = 0; y < frame.height; ++y) {
    const T* row = frame.row(y);
    std::uint64_t total = 0;
    std::uint32_t zeros = 0;
    std::uint32_t saturated = 0;
    std::uint32_t largest = 0;
    for (std::size_t x = 0; x < frame.width; ++x) {
      const std::uint32_t v = row[x];
      total += v;
      zeros += v == 0 ? 1U : 0U;
      saturated += v == full_scale ? 1U : 0U;
      largest = std::max(largest, v);
    }
    counts.total += static_cast<std::int64_t>(total);
    counts.zeros += zeros;
    counts.saturated += saturated;
    counts.largest = std::max(counts.largest, largest);
  }
  return counts;
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
}

template <class T>
void FrameSums::add_counts(ImageView<const T> frame) {
  if (frame.height != height_ || frame.width != width_) {
    throw Error(ErrorKind::input, "frame is " + std::to_string(frame.height) + " x " + std::to_string(frame.width) +
                                      ", expected " + std::to_string(height_) + " x " + std::to_string(width_) +
                                      "; use frames of one size");
  }
  const FrameCounts counts = count(frame, full_scale_);
  if (counts.largest > full_scale_) {
    throw Error(ErrorKind::input, "frame holds " + std::to_string(counts.largest) + ", expected at most " +
                                      std::to_string(full_scale_) + "; give the right bit depth");
  }
  const bool first = frame_totals_.empty();
  frame_totals_.push_back(counts.total);  // the one thing that may throw comes before the sums change
  zeros_ += counts.zeros;
  saturated_ += counts.saturated;
  for (std::size_t y = 0; y < height_; ++y) {
    const T* row = frame.row(y);
    std::uint16_t* previous = previous_.data() + y * width_;
    std::int64_t* sum = sum_.data() + y * width_;
    std::int64_t* squares = sum_squares_.data() + y * width_;
    std::int64_t* steps = step_squares_.data() + y * width_;
    if (first) std::copy(row, row + width_, previous);  // no step before the first frame
    for (std::size_t x = 0; x < width_; ++x) {
      const std::uint32_t v = row[x];
      const std::uint32_t step = v - previous[x];  // wraps, and its square wraps back: |step| < 2^16
      sum[x] += v;
      const std::uint32_t square = v * v;
      const std::uint32_t step_square = step * step;
      squares[x] += square;
      steps[x] += step_square;
      previous[x] = static_cast<std::uint16_t>(v);
    }
  }
}

void FrameSums::add(ImageView<const std::uint8_t> frame) { add_counts(frame); }
void FrameSums::add(ImageView<const std::uint16_t> frame) { add_counts(frame); }

}  // namespace pyicg
