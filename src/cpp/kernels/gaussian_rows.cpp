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

void along(const float* line, const float* weights, std::size_t reach, std::size_t width, float* out) {
  weighted_sum(
      line, [&](std::size_t k) { return Two{line - k, line + k}; }, weights, reach, static_cast<std::ptrdiff_t>(width),
      out);
}

static_assert(gaussian_rows == 4);
constexpr std::ptrdiff_t count = gaussian_rows;

// Rows of as many pixels as a register holds, and the same pixels with their rows side by side.
template <class V>
struct Four {
  V of[count];
};
using FourLanes = Four<Lanes<float>>;

// Four rows (or columns) of four numbers, in each half of a register.
template <class V>
[[gnu::always_inline]] inline Four<V> turned(const Four<V>& v) {
  if constexpr (sizeof(V) == 8 * sizeof(float)) {
    const auto low01 = __builtin_shufflevector(v.of[0], v.of[1], 0, 8, 1, 9, 4, 12, 5, 13);
    const auto low23 = __builtin_shufflevector(v.of[2], v.of[3], 0, 8, 1, 9, 4, 12, 5, 13);
    const auto high01 = __builtin_shufflevector(v.of[0], v.of[1], 2, 10, 3, 11, 6, 14, 7, 15);
    const auto high23 = __builtin_shufflevector(v.of[2], v.of[3], 2, 10, 3, 11, 6, 14, 7, 15);
    return {{__builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13),
             __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15),
             __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13),
             __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15)}};
  } else {
    const auto low01 = __builtin_shufflevector(v.of[0], v.of[1], 0, 4, 1, 5);
    const auto low23 = __builtin_shufflevector(v.of[2], v.of[3], 0, 4, 1, 5);
    const auto high01 = __builtin_shufflevector(v.of[0], v.of[1], 2, 6, 3, 7);
    const auto high23 = __builtin_shufflevector(v.of[2], v.of[3], 2, 6, 3, 7);
    return {{__builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
             __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)}};
  }
}

template <class V>
[[gnu::always_inline]] inline Four<V> interleaved(const Four<V>& rows) {
  const Four<V> v = turned(rows);
  if constexpr (sizeof(V) == 8 * sizeof(float)) {  // pixels 0 and 4, 1 and 5, ... become 0 and 1, 2 and 3, ...
    return {{__builtin_shufflevector(v.of[0], v.of[1], 0, 1, 2, 3, 8, 9, 10, 11),
             __builtin_shufflevector(v.of[2], v.of[3], 0, 1, 2, 3, 8, 9, 10, 11),
             __builtin_shufflevector(v.of[0], v.of[1], 4, 5, 6, 7, 12, 13, 14, 15),
             __builtin_shufflevector(v.of[2], v.of[3], 4, 5, 6, 7, 12, 13, 14, 15)}};
  } else {
    return v;
  }
}

template <class V>
[[gnu::always_inline]] inline Four<V> rows_of(const Four<V>& v) {
  if constexpr (sizeof(V) == 8 * sizeof(float)) {
    return turned<V>({{__builtin_shufflevector(v.of[0], v.of[2], 0, 1, 2, 3, 8, 9, 10, 11),
                       __builtin_shufflevector(v.of[0], v.of[2], 4, 5, 6, 7, 12, 13, 14, 15),
                       __builtin_shufflevector(v.of[1], v.of[3], 0, 1, 2, 3, 8, 9, 10, 11),
                       __builtin_shufflevector(v.of[1], v.of[3], 4, 5, 6, 7, 12, 13, 14, 15)}});
  } else {
    return turned(v);
  }
}

void down_together(const float* const* rows, const float* weights, std::size_t reach, std::size_t width, float* out) {
  const auto n = static_cast<std::ptrdiff_t>(width);
  const auto last = static_cast<std::ptrdiff_t>(reach);
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
    const FourLanes found = interleaved<Lanes<float>>({{sum0, sum1, sum2, sum3}});
    float* const to = out + count * x;
    store(found.of[0], to);
    store(found.of[1], to + lanes<float>);
    store(found.of[2], to + 2 * lanes<float>);
    store(found.of[3], to + 3 * lanes<float>);
  }
  for (; x < n; ++x) {
    for (std::ptrdiff_t j = 0; j < count; ++j) {
      float sum = weights[0] * middle[j][x];
      for (std::ptrdiff_t k = 1; k <= last; ++k) sum += weights[k] * (middle[j - k][x] + middle[j + k][x]);
      out[count * x + j] = sum;
    }
  }
}

// Adds the taps first, first + 2, ...: two taps further, a register holds what others held before.
[[gnu::always_inline]] inline void add_taps(const float* lines, const float* weights, std::ptrdiff_t first,
                                            std::ptrdiff_t reach, FourLanes& sums) {
  constexpr std::ptrdiff_t step = lanes<float>;
  if (first > reach) return;
  const float* low = lines - count * first;
  const float* high = lines + count * first;
  Lanes<float> before0 = load(low), before1 = load(low + step), before2 = load(low + 2 * step),
               before3 = load(low + 3 * step);
  Lanes<float> after0 = load(high), after1 = load(high + step), after2 = load(high + 2 * step),
               after3 = load(high + 3 * step);
  Lanes<float> sum0 = sums.of[0] + weights[first] * (before0 + after0);
  Lanes<float> sum1 = sums.of[1] + weights[first] * (before1 + after1);
  Lanes<float> sum2 = sums.of[2] + weights[first] * (before2 + after2);
  Lanes<float> sum3 = sums.of[3] + weights[first] * (before3 + after3);
#pragma GCC unroll 4
  for (std::ptrdiff_t k = first + 2; k <= reach; k += 2) {
    low -= 2 * count;
    high += 2 * count;
    if constexpr (step == 2 * count) {
      before3 = before2;
      before2 = before1;
      before1 = before0;
      after0 = after1;
      after1 = after2;
      after2 = after3;
    } else {
      before3 = before1;
      before2 = before0;
      before1 = load(low + step);
      after0 = after2;
      after1 = after3;
      after2 = load(high + 2 * step);
    }
    before0 = load(low);
    after3 = load(high + 3 * step);
    const float weight = weights[k];
    sum0 += weight * (before0 + after0);
    sum1 += weight * (before1 + after1);
    sum2 += weight * (before2 + after2);
    sum3 += weight * (before3 + after3);
  }
  sums = {{sum0, sum1, sum2, sum3}};
}

void along_together(const float* lines, const float* weights, std::size_t reach, std::size_t width, float* const* out) {
  const auto n = static_cast<std::ptrdiff_t>(width);
  const auto last = static_cast<std::ptrdiff_t>(reach);
  std::ptrdiff_t x = 0;
  for (; x + lanes<float> <= n; x += lanes<float>) {
    const float* const here = lines + count * x;
    FourLanes sums{{weights[0] * load(here), weights[0] * load(here + lanes<float>),
                    weights[0] * load(here + 2 * lanes<float>), weights[0] * load(here + 3 * lanes<float>)}};
    add_taps(here, weights, 2, last, sums);
    add_taps(here, weights, 1, last, sums);
    const FourLanes found = rows_of(sums);
    store(found.of[0], out[0] + x);
    store(found.of[1], out[1] + x);
    store(found.of[2], out[2] + x);
    store(found.of[3], out[3] + x);
  }
  for (; x < n; ++x) {
    for (std::ptrdiff_t j = 0; j < count; ++j) {
      const float* const here = lines + count * x + j;
      float sum = weights[0] * here[0];
      for (std::ptrdiff_t k = 2; k <= last; k += 2) sum += weights[k] * (*(here - count * k) + here[count * k]);
      for (std::ptrdiff_t k = 1; k <= last; k += 2) sum += weights[k] * (*(here - count * k) + here[count * k]);
      out[j][x] = sum;
    }
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const GaussianKernels gaussian{down, along, down_together, along_together};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
