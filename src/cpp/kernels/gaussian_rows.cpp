// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "gaussian_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const GaussianKernels gaussian;
}
namespace {

constexpr std::ptrdiff_t registers = 4;  // summed side by side: one waits for the other less
constexpr std::ptrdiff_t block = registers * lanes<float>;

// The sums of pairs at equal distance from the middle: a flipped frame gives the same bits.
template <class Pair>
void weighted_sum(const float* middle, const Pair& pair, const float* weights, std::size_t reach, std::ptrdiff_t n,
                  float* out) {
  std::ptrdiff_t x = 0;
  for (; x + block <= n; x += block) {
    Lanes<float> sums[registers];
    for (std::ptrdiff_t i = 0; i < registers; ++i) sums[i] = weights[0] * load(middle + x + i * lanes<float>);
    for (std::size_t k = 1; k <= reach; ++k) {
      const auto [low, high] = pair(k);
      const float weight = weights[k];
      for (std::ptrdiff_t i = 0; i < registers; ++i) {
        sums[i] += weight * (load(low + x + i * lanes<float>) + load(high + x + i * lanes<float>));
      }
    }
    for (std::ptrdiff_t i = 0; i < registers; ++i) store(sums[i], out + x + i * lanes<float>);
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
  static_assert(gaussian_rows == 4);
  const auto n = static_cast<std::ptrdiff_t>(width);
  const float* const* const middle = rows + reach;
  std::ptrdiff_t x = 0;
  for (; x + lanes<float> <= n; x += lanes<float>) {
    // The rows at distance k above and below each of the rows blurred: from one k to the next they move up by one.
    Lanes<float> above0 = load(middle[0] + x);
    Lanes<float> above1 = load(middle[1] + x);
    Lanes<float> above2 = load(middle[2] + x);
    Lanes<float> above3 = load(middle[3] + x);
    Lanes<float> below1 = above1;
    Lanes<float> below2 = above2;
    Lanes<float> below3 = above3;
    Lanes<float> sum0 = weights[0] * above0;
    Lanes<float> sum1 = weights[0] * above1;
    Lanes<float> sum2 = weights[0] * above2;
    Lanes<float> sum3 = weights[0] * above3;
    const float* const* up = middle;
    const float* const* down = middle + 3;
#pragma GCC unroll 4
    for (std::size_t k = 1; k <= reach; ++k) {
      const float weight = weights[k];
      above3 = above2;
      above2 = above1;
      above1 = above0;
      above0 = load(*--up + x);
      const Lanes<float> below0 = below1;
      below1 = below2;
      below2 = below3;
      below3 = load(*++down + x);
      sum0 += weight * (above0 + below0);
      sum1 += weight * (above1 + below1);
      sum2 += weight * (above2 + below2);
      sum3 += weight * (above3 + below3);
    }
    store(sum0, out[0] + x);
    store(sum1, out[1] + x);
    store(sum2, out[2] + x);
    store(sum3, out[3] + x);
  }
  for (; x < n; ++x) {
    for (std::size_t j = 0; j < gaussian_rows; ++j) {
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
