// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
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

void down(const float* const* rows, const float* weights, std::size_t reach, std::size_t width, float* out) {
  weighted_sum(
      rows[reach], [&](std::size_t k) { return Two{rows[reach - k], rows[reach + k]}; }, weights, reach,
      static_cast<std::ptrdiff_t>(width), out);
}

void down_together(const float* const* rows, const float* weights, std::size_t reach, std::size_t width,
                   float* const* out) {
  constexpr std::size_t count = gaussian_rows;
  const auto n = static_cast<std::ptrdiff_t>(width);
  const float* const* const middle = rows + reach;
  std::ptrdiff_t x = 0;
  for (; x + lanes<float> <= n; x += lanes<float>) {
    // The rows at distance k above and below each of the rows blurred: from one k to the next they move up by one.
    Lanes<float> above[count];
    Lanes<float> below[count];
    Lanes<float> sum[count];
    for (std::size_t j = 0; j < count; ++j) {
      above[j] = below[j] = load(middle[j] + x);
      sum[j] = weights[0] * above[j];
    }
#pragma GCC unroll 4
    for (std::size_t k = 1; k <= reach; ++k) {
      for (std::size_t j = count - 1; j > 0; --j) above[j] = above[j - 1];
      for (std::size_t j = 0; j + 1 < count; ++j) below[j] = below[j + 1];
      above[0] = load(*(middle - k) + x);
      below[count - 1] = load(middle[count - 1 + k] + x);
      for (std::size_t j = 0; j < count; ++j) sum[j] += weights[k] * (above[j] + below[j]);
    }
    for (std::size_t j = 0; j < count; ++j) store(sum[j], out[j] + x);
  }
  for (; x < n; ++x) {
    for (std::size_t j = 0; j < count; ++j) {
      float sum = weights[0] * middle[j][x];
      for (std::size_t k = 1; k <= reach; ++k) sum += weights[k] * ((*(middle + j - k))[x] + middle[j + k][x]);
      out[j][x] = sum;
    }
  }
}

void along(const float* line, const float* weights, std::size_t reach, std::size_t width, float* out) {
  weighted_sum(
      line, [&](std::size_t k) { return Two{line - k, line + k}; }, weights, reach, static_cast<std::ptrdiff_t>(width),
      out);
}

}  // namespace

namespace PYICG_KERNEL_SET {
const GaussianKernels gaussian{down, down_together, along};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
