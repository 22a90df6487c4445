// Sums over a series of dark or flat frames, fed one at a time: exact integers, in memory that does not grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/image_view.hpp"

namespace pyicg {

class FrameSums {
 public:
  // `full_scale` is the largest count the camera can give, 1 to 65535. Throws Error(input).
  FrameSums(std::size_t height, std::size_t width, std::uint32_t full_scale);

  // Throws Error(input) when the shape differs or a count exceeds full scale; the sums are then as before.
  void add(ImageView<const std::uint8_t> frame);
  void add(ImageView<const std::uint16_t> frame);

  [[nodiscard]] std::size_t height() const { return height_; }
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] std::size_t n() const { return frame_totals_.size(); }
  // Per pixel, row-major: of the counts, of their squares, and of the squared steps from frame to frame.
  [[nodiscard]] const std::vector<std::int64_t>& sum() const { return sum_; }
  [[nodiscard]] const std::vector<std::int64_t>& sum_squares() const { return sum_squares_; }
  [[nodiscard]] const std::vector<std::int64_t>& step_squares() const { return step_squares_; }
  // Per frame: the sum of its counts.
  [[nodiscard]] const std::vector<std::int64_t>& frame_totals() const { return frame_totals_; }
  // Over all samples: how many are zero, and how many sit at full scale.
  [[nodiscard]] std::int64_t zeros() const { return histogram_.front(); }
  [[nodiscard]] std::int64_t saturated() const { return histogram_.back(); }
  // How many samples sit at the smallest and at the largest count, and one count inside: a pile at an end is a cut-off.
  struct Ends {
    std::uint32_t lowest = 0, highest = 0;
    std::int64_t at_lowest = 0, above_lowest = 0, at_highest = 0, below_highest = 0;
  };
  [[nodiscard]] Ends ends() const;

 private:
  template <class T>
  void add_counts(ImageView<const T> frame);

  std::size_t height_;
  std::size_t width_;
  std::uint32_t full_scale_;
  std::vector<std::int64_t> sum_;
  std::vector<std::int64_t> sum_squares_;
  std::vector<std::int64_t> step_squares_;
  std::vector<std::uint16_t> previous_;
  std::vector<std::int64_t> frame_totals_;
  std::vector<std::int64_t> histogram_;  // of all samples, one bin per count
};

}  // namespace pyicg
