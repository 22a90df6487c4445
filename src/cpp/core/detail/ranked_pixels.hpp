// Exact order statistics of pixels, of all or of a range of ranks, without sorting them: a histogram says in which bins
// the ranks lie, and only those bins are looked into. Counts are whole numbers, so threads do not change the result.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "../../kernels/rank_rows.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/runner.hpp"
#include "value_rows.hpp"

namespace pyicg::detail {

// Pixels by rank: [first, last) of all in ascending order.
struct Ranks {
  std::size_t first = 0;
  std::size_t last = 0;
  [[nodiscard]] std::size_t size() const { return last - first; }
};

// How far a value is from a centre.
using Distance = double (*)(float v, double centre);

class RankedPixels {
 public:
  // Counts the n values that are there, 0 < n < 2^32. The rows are read again later.
  void count(const ValueRows& rows, std::size_t n, const Threads& threads = {});

  // Does the work until all that it asked of this object is exact: where a bin has not been looked into yet, its middle
  // stands for its values, and after the work the bin is collected. So the first round is one of good guesses, and
  // seldom more than one follows: guesses may be some bins off, so `margin` bins to either side are collected too.
  template <class Work>
  void exactly(std::size_t margin, const Work& work) {
    for (;;) {
      asked_.clear();
      work();
      if (asked_.empty()) return;
      collect(margin);
    }
  }

  [[nodiscard]] std::size_t size() const { return n_; }

  // Quantile of the pixels of those ranks by linear interpolation between order statistics (numpy's default).
  double quantile(const Ranks& ranks, double q);

  // The value of a rank.
  double ranked(std::size_t rank);

  // Both order statistics in the middle of the distances from the centre, over the pixels of those ranks: one where
  // they are odd in number.
  std::pair<double, double> middle_distances(const Ranks& ranks, double centre, Distance distance);

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
  void collect(std::size_t margin);
  void choose_bins();

  // What a thread reads rows with.
  struct Reader {
    std::vector<float> row;
    std::vector<std::int32_t> row_bins;
    std::vector<float> kept;
    // Neighbours are often in one bin, and a count waits for the last one of the same bin: two tables in turn.
    std::array<std::array<std::uint32_t, bins + 1>, 2> counts;
  };
  // Calls read(reader, first, last) on ranges of rows.
  template <class Read>
  void read_rows(const Read& read);
  // A row and, in the reader, its bins.
  std::span<const float> read_row(Reader& reader, std::size_t y) const;

  const ValueRows* rows_ = nullptr;
  Threads threads_;
  std::size_t n_ = 0;
  float origin_ = 0;
  float scale_ = 1;
  std::array<std::size_t, bins + 1> below_{};  // pixels in bins before this one
  std::array<std::size_t, bins> place_{};      // of a bin in `collected_`, from 1 on; 0: not looked into
  std::vector<std::size_t> asked_;             // bins
  std::vector<float> collected_;
  std::vector<float> sampled_;  // a row of which some are taken
  std::vector<float> sample_;
  std::vector<double> distances_;
  std::mutex mutex_;  // of the readers, and of what they add to
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace pyicg::detail
