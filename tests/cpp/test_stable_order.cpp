#include "core/detail/stable_order.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using pyicg::detail::StableOrder;

namespace {

// Few different keys, so that most have equals; one object for lists of all lengths.
void as_stable_sort() {
  StableOrder order;
  scene::Normal random(1);
  for (std::size_t n = 0; n < 200; ++n) {
    std::vector<int> keys(n);
    for (int& key : keys) key = static_cast<int>(8 * random.uniform());
    const auto more = [&](std::size_t i, std::size_t k) { return keys[i] > keys[k]; };
    std::vector<std::size_t> expected(n);
    std::iota(expected.begin(), expected.end(), std::size_t{0});
    std::stable_sort(expected.begin(), expected.end(), more);
    check::is_true(std::ranges::equal(order.sort(n, more), expected), "the order of std::stable_sort");
  }
}

// Keys that compare with nothing end up somewhere, and none is lost.
void not_numbers() {
  StableOrder order;
  std::vector<double> keys{3, pyicg::nan, 1, pyicg::nan, 2, 5, pyicg::nan};
  const auto sorted = order.sort(keys.size(), [&](std::size_t i, std::size_t k) { return keys[i] > keys[k]; });
  std::vector<std::size_t> indices(sorted.begin(), sorted.end());
  std::ranges::sort(indices);
  for (std::size_t i = 0; i < keys.size(); ++i) check::equal(indices.at(i), i);
}

}  // namespace

int main() {
  as_stable_sort();
  not_numbers();
  return check::result();
}
