// Exact order statistics of a frame's usable pixels, of all or of a range of ranks, without sorting them: a histogram
// says in which bins the ranks lie, and only those bins are looked into.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../../kernels/rank_rows.hpp"
#include "pyicg/calibrate.hpp"

namespace pyicg::detail {

// Pixels by rank: [first, last) of all in ascending order.
struct Ranks {
  std::size_t first = 0;
  std::size_t last = 0;
  [[nodiscard]] std::size_t size() const { return last - first; }
};

class RankedPixels {
 public:
  // Counts the frame's n usable pixels; n > 0. `middle` and `spread` say where most of them lie.
  void count(const CalibratedView& frame, std::size_t n);

  // Does the work until all that it asked of this object is exact: where a bin has not been looked into yet, its middle
  // stands for its values, and after the work the bin is collected. So the first round is one of good guesses, and
  // seldom more than one follows.
  template <class Work>
  void exactly(const Work& work) {
    do {
      asked_.clear();
      work();
    } while (collect());
  }

  [[nodiscard]] std::size_t size() const { return n_; }

  // Quantile of the pixels of those ranks by linear interpolation between order statistics (numpy's default).
  double quantile(const Ranks& ranks, double q);

  // Median of |v - centre| in float32 over the pixels of those ranks.
  double median_distance(const Ranks& ranks, float centre);

  // How many pixels are below, or not above, `limit` in the sense of `before(v)`, which is true up to about there.
  template <class Before>
  std::size_t count_before(double limit, double tolerance, const Before& before) {
    const std::size_t first = bin_of(static_cast<float>(limit - tolerance));
    const std::size_t last = bin_of(static_cast<float>(limit + tolerance));
    std::size_t found = below_[first];
    for (std::size_t bin = first; bin <= last; ++bin) {
      const Values values = look_into(bin);
      if (!values.exact) {
        found += before(middle(bin)) ? held(bin) : 0;
        continue;
      }
      for (const float v : values.all) found += before(v) ? 1 : 0;
    }
    return found;
  }

 private:
  static constexpr auto bins = static_cast<std::size_t>(kernels::rank_bins);

  struct Values {
    std::span<float> all;
    bool exact = false;
  };

  [[nodiscard]] std::size_t held(std::size_t bin) const { return below_[bin + 1] - below_[bin]; }
  [[nodiscard]] std::size_t bin_of(float v) const;
  [[nodiscard]] float middle(std::size_t bin) const;
  Values look_into(std::size_t bin);
  // Those of a bin's values that have the ranks.
  [[nodiscard]] std::span<float> part(std::span<float> values, std::size_t bin, const Ranks& ranks) const;
  [[nodiscard]] std::size_t held(std::size_t first, std::size_t last, const Ranks& ranks) const;
  double ranked(std::size_t rank);
  bool collect();
  template <class Visit>
  void each_row(const Visit& visit);

  CalibratedView frame_;
  std::size_t n_ = 0;
  float origin_ = 0;
  float scale_ = 1;
  std::array<std::size_t, bins + 1> below_{};  // pixels in bins before this one
  std::array<std::size_t, bins> place_{};      // of a bin in `collected_`, from 1 on; 0: not looked into
  std::vector<std::size_t> asked_;             // bins
  std::vector<float> collected_;
  std::vector<float> scratch_;
  std::vector<float> picked_;
  std::vector<std::int32_t> row_bins_;
};

}  // namespace pyicg::detail
