// Sorting without moving what is sorted, and without asking for memory each time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace pyicg::detail {

class StableOrder {
 public:
  // The indices 0 .. n - 1, sorted by before(i, k); equal ones keep their order. Valid until the next call.
  template <class Before>
  std::span<const std::size_t> sort(std::size_t n, const Before& before) {
    order_.resize(n);
    merged_.resize(n);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    for (std::size_t width = 1; width < n; width *= 2) {
      const auto at = [&](std::size_t i) { return order_.begin() + static_cast<std::ptrdiff_t>(std::min(i, n)); };
      auto out = merged_.begin();
      for (std::size_t first = 0; first < n; first += 2 * width) {
        out = std::merge(at(first), at(first + width), at(first + width), at(first + 2 * width), out, before);
      }
      order_.swap(merged_);
    }
    return order_;
  }

 private:
  std::vector<std::size_t> order_, merged_;
};

}  // namespace pyicg::detail
