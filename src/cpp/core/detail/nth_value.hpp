// The value of a rank, without moving the values: a sample tells between which limits it lies, and only what lies
// between them is looked at again. Several times as fast as std::nth_element, whose branches nobody can predict.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace pyicg::detail {

template <class T>
class NthValue {
 public:
  // k < values.size(); none is a NaN. Found whatever the values are: the sample decides how long it takes.
  T operator()(std::span<const T> values, std::size_t k) {
    std::span<const T> left = values;
    std::size_t rank = k;
    while (left.size() > few) {
      const auto [low, high] = limits(left, rank);
      kept_.resize(std::max(kept_.size(), left.size()));
      T* const kept = kept_.data();  // `left` may lie there: never written before it is read
      std::size_t n = 0;
      std::size_t below = 0;
      for (const T v : left) {
        kept[n] = v;
        n += static_cast<std::size_t>(static_cast<int>(v >= low) & static_cast<int>(v <= high));
        below += static_cast<std::size_t>(v < low);
      }
      if (rank < below || rank >= below + n) return among_all(values, k);
      rank -= below;
      const std::size_t most = left.size() / 2;
      if (n > most) {  // where values are whole counts, many are those limits themselves
        const std::span<const T> all(kept, n);
        const auto at_low = static_cast<std::size_t>(std::ranges::count(all, low));
        const auto at_high = static_cast<std::size_t>(std::ranges::count(all, high));
        if (rank < at_low) return low;
        if (rank >= n - at_high) return high;
        rank -= at_low;
        n = static_cast<std::size_t>(std::copy_if(kept, kept + n, kept, [=](T v) { return v > low && v < high; }) -
                                     kept);
      }
      left = std::span<const T>(kept, n);
      if (n > most) break;
    }
    return among_all(left, rank);
  }

 private:
  static constexpr std::size_t few = 2048;
  static constexpr std::size_t sampled = 1024;

  struct Limits {
    T low;
    T high;
  };

  // Four standard errors of the rank in the sample to either side.
  Limits limits(std::span<const T> values, std::size_t rank) {
    sample_.resize(sampled);
    for (std::size_t i = 0; i < sampled; ++i) sample_[i] = values[i * values.size() / sampled];
    const double share = (static_cast<double>(rank) + 0.5) / static_cast<double>(values.size());
    const double error = 4 * std::sqrt(share * (1 - share) * static_cast<double>(sampled)) + 1;
    const auto low = static_cast<std::ptrdiff_t>(share * static_cast<double>(sampled) - error);
    const auto high = static_cast<std::ptrdiff_t>(share * static_cast<double>(sampled) + error);
    constexpr T unknown = std::numeric_limits<T>::infinity();
    Limits found{-unknown, unknown};
    auto from = sample_.begin();
    if (low > 0) {
      from += low;
      std::nth_element(sample_.begin(), from, sample_.end());
      found.low = *from;
    }
    if (high < std::ssize(sample_)) {
      std::nth_element(from, sample_.begin() + high, sample_.end());
      found.high = sample_[static_cast<std::size_t>(high)];
    }
    return found;
  }

  T among_all(std::span<const T> values, std::size_t k) {
    others_.assign(values.begin(), values.end());
    const auto nth = others_.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(others_.begin(), nth, others_.end());
    return *nth;
  }

  std::vector<T> sample_;
  std::vector<T> kept_;
  std::vector<T> others_;
};

}  // namespace pyicg::detail
