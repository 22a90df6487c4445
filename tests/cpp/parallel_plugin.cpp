// What test_parallel loads and unloads.
#include <atomic>
#include <cstddef>

#include "core/detail/parallel.hpp"

extern "C" __attribute__((visibility("default"))) std::size_t sum_in_plugin(std::size_t count) {
  std::atomic<std::size_t> sum{0};
  pyicg::detail::parallel_ranges(count, 4, [&](std::size_t first, std::size_t last) {
    for (std::size_t k = first; k < last; ++k) sum += k;
  });
  return sum;
}
