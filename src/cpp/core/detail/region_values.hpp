// Sums and exact order statistics of a region's values in one pass: a sample says about where the ranks asked for lie,
// and the pass counts what lies below these windows and keeps what lies in them. Where a window was missed, the pass is
// made again with wider ones, so the sample decides how long it takes, not what is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "../../kernels/region_rows.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/runner.hpp"

namespace pyicg::detail {

class RegionValues {
 public:
  // The pixels where `region` is not zero (all where its data pointer is null), the mask allows it, and the value is
  // finite; fewer than 2^32.
  RegionValues(ImageView<const float> data, ImageView<const std::uint8_t> mask, ImageView<const std::uint8_t> region,
               const Threads& threads);

  // The pass. `shares` of the values, from 0 to 1, have ranks that are asked for; the median and the median distance
  // from it always are. Windows reach that many standard errors of the sample's quantiles to either side.
  void look(std::span<const double> shares, double reach);

  [[nodiscard]] const kernels::RegionCounts& counts() const { return counts_; }
  [[nodiscard]] const kernels::Sum& sum() const { return sum_; }
  // Sum of the squared differences from the mean.
  [[nodiscard]] double squares() const;

  // The values of these ranks, which ascend; false where a window was missed.
  bool ranked(std::span<const std::size_t> ranks, std::span<double> found);
  // Both distances from the median in the middle: one where the values are odd in number.
  [[nodiscard]] std::optional<std::pair<double, double>> middle_distances(double median) const;

 private:
  using Window = kernels::Window;

  // What was found of a window's values.
  struct Held {
    std::size_t below = 0;
    std::vector<float> values;
  };

  [[nodiscard]] double shift() const;
  void take_sample();
  void choose_windows(std::span<const double> shares, double reach);
  void join_windows();
  void read_rows();
  // The first window that does not end below it.
  [[nodiscard]] std::size_t window_of(float v) const;

  ImageView<const float> data_;
  ImageView<const std::uint8_t> mask_;
  ImageView<const std::uint8_t> region_;
  Threads threads_;
  std::size_t top_ = 0;  // rows [top, bottom) hold all that is asked for
  std::size_t bottom_ = 0;
  std::size_t asked_ = 0;
  std::vector<float> sample_;
  float centre_ = 0;  // its median
  float from_ = 0;    // what squared differences are taken from
  std::vector<Window> windows_;
  Window nearer_{};  // the values whose distance from the median may be the median distance
  Window farther_{};
  std::vector<kernels::RowSums> sums_;  // of rows, or of their pieces
  kernels::RegionCounts counts_;
  kernels::Sum sum_;
  kernels::Sum squares_;
  std::vector<Held> held_;  // of each window
};

}  // namespace pyicg::detail
