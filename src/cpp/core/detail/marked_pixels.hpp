// Few pixels of a frame are marked: words of zeros are passed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pyicg::detail {

inline constexpr std::size_t mark_word = sizeof(std::uint64_t);

// Calls visit(x) for each mark that is not zero, in order.
template <class Visit>
void each_marked(const std::uint8_t* marks, std::size_t n, const Visit& visit) {
  std::size_t x = 0;
  for (; x + mark_word <= n; x += mark_word) {
    std::uint64_t word = 0;
    std::memcpy(&word, marks + x, mark_word);
    if (word == 0) continue;
    for (std::size_t i = x; i < x + mark_word; ++i) {
      if (marks[i] != 0) visit(i);
    }
  }
  for (; x < n; ++x) {
    if (marks[x] != 0) visit(x);
  }
}

}  // namespace pyicg::detail
