// Compiled once for each instruction set: see lanes.hpp.
#include "gaussian_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const GaussianKernels gaussian;
}
namespace {

constexpr std::ptrdiff_t block = 2 * lanes<float>;

// The sums of pairs at equal distance from the middle: a flipped frame gives the same bits.
template <class Pair>
void weighted_sum(const float* middle, const Pair& pair, const float* weights, std::size_t reach, std::ptrdiff_t n,
                  float* out) {
  std::ptrdiff_t x = 0;
  for (; x + block <= n; x += block) {
    Lanes<float> a = weights[0] * load(middle + x);
    Lanes<float> b = weights[0] * load(middle + x + lanes<float>);
    for (std::size_t k = 1; k <= reach; ++k) {
      const auto [low, high] = pair(k);
      a += weights[k] * (load(low + x) + load(high + x));
      b += weights[k] * (load(low + x + lanes<float>) + load(high + x + lanes<float>));
    }
    store(a, out + x);
    store(b, out + x + lanes<float>);
  }
  for (; x < n; ++x) {
    float sum = weights[0] * middle[x];
    for (std::size_t k = 1; k <= reach; ++k) {
      const auto [low, high] = pair(k);
      sum += weights[k] * (low[x] + high[x]);
    }
    out[x] = sum;
  }
}

struct Two {
  const float* low;
  const float* high;
};

void blur(const float* const* rows, const float* weights, std::size_t reach, std::size_t width, float* line,
          float* out) {
  float* const middle = line + reach;
  const auto n = static_cast<std::ptrdiff_t>(width);
  weighted_sum(
      rows[reach], [&](std::size_t k) { return Two{rows[reach - k], rows[reach + k]}; }, weights, reach, n, middle);
  for (std::size_t k = 0; k < reach; ++k) {
    line[k] = middle[0];
    middle[width + k] = middle[width - 1];
  }
  weighted_sum(middle, [&](std::size_t k) { return Two{middle - k, middle + k}; }, weights, reach, n, out);
}

}  // namespace

namespace PYICG_KERNEL_SET {
const GaussianKernels gaussian{blur};
}
}  // namespace pyicg::kernels
