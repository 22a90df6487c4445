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
static_assert(lanes<float> <= 4 * count);

// Rows of as many pixels as a register holds, and the same pixels with their rows side by side.
template <class V>
struct Four {
  V of[count];
};
using FourLanes = Four<Lanes<float>>;

// Four of the numbers 0 to 3 of `a` and 4 to 7 of `b`, and the like of every further four numbers of the registers.
template <int... k, class V>
[[gnu::always_inline]] inline V by_fours(const V& a, const V& b) {
  constexpr auto size = static_cast<int>(sizeof(V) / sizeof(float));
  const auto place = [](int i, int four) { return i % 4 + 4 * four + (i < 4 ? 0 : size); };
  if constexpr (size == 4) {
    return __builtin_shufflevector(a, b, k...);
  } else if constexpr (size == 8) {
    return __builtin_shufflevector(a, b, place(k, 0)..., place(k, 1)...);
  } else {
    return __builtin_shufflevector(a, b, place(k, 0)..., place(k, 1)..., place(k, 2)..., place(k, 3)...);
  }
}

// Four rows (or columns) of four numbers, in each four numbers of a register.
template <class V>
[[gnu::always_inline]] inline Four<V> turned(const Four<V>& v) {
  const V low01 = by_fours<0, 4, 1, 5>(v.of[0], v.of[1]);
  const V low23 = by_fours<0, 4, 1, 5>(v.of[2], v.of[3]);
  const V high01 = by_fours<2, 6, 3, 7>(v.of[0], v.of[1]);
  const V high23 = by_fours<2, 6, 3, 7>(v.of[2], v.of[3]);
  return {{by_fours<0, 1, 4, 5>(low01, low23), by_fours<2, 3, 6, 7>(low01, low23), by_fours<0, 1, 4, 5>(high01, high23),
           by_fours<2, 3, 6, 7>(high01, high23)}};
}

// Four fours of those of two registers of sixteen numbers: 0 to 3 are in the first, 4 to 7 in the second.
template <int i, int j, int k, int l, class V>
[[gnu::always_inline]] inline V fours(const V& a, const V& b) {
  return __builtin_shufflevector(a, b, 4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3, 4 * j, 4 * j + 1, 4 * j + 2, 4 * j + 3,
                                 4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 3, 4 * l, 4 * l + 1, 4 * l + 2, 4 * l + 3);
}

// Four rows (or columns) of four fours.
template <class V>
[[gnu::always_inline]] inline Four<V> turned_fours(const Four<V>& v) {
  const V low01 = fours<0, 1, 4, 5>(v.of[0], v.of[1]);
  const V low23 = fours<0, 1, 4, 5>(v.of[2], v.of[3]);
  const V high01 = fours<2, 3, 6, 7>(v.of[0], v.of[1]);
  const V high23 = fours<2, 3, 6, 7>(v.of[2], v.of[3]);
  return {{fours<0, 2, 4, 6>(low01, low23), fours<1, 3, 5, 7>(low01, low23), fours<0, 2, 4, 6>(high01, high23),
           fours<1, 3, 5, 7>(high01, high23)}};
}

template <class V>
[[gnu::always_inline]] inline Four<V> interleaved(const Four<V>& rows) {
  const Four<V> v = turned(rows);
  if constexpr (sizeof(V) == 8 * sizeof(float)) {  // pixels 0 and 4, 1 and 5, ... become 0 and 1, 2 and 3, ...
    return {{__builtin_shufflevector(v.of[0], v.of[1], 0, 1, 2, 3, 8, 9, 10, 11),
             __builtin_shufflevector(v.of[2], v.of[3], 0, 1, 2, 3, 8, 9, 10, 11),
             __builtin_shufflevector(v.of[0], v.of[1], 4, 5, 6, 7, 12, 13, 14, 15),
             __builtin_shufflevector(v.of[2], v.of[3], 4, 5, 6, 7, 12, 13, 14, 15)}};
  } else if constexpr (sizeof(V) == 16 * sizeof(float)) {
    return turned_fours(v);
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
  } else if constexpr (sizeof(V) == 16 * sizeof(float)) {
    return turned(turned_fours(v));
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

// What a tap adds to four registers of pixels: the numbers before and after each.
struct Window {
  Lanes<float> before0, before1, before2, before3;
  Lanes<float> after0, after1, after2, after3;
};

[[gnu::always_inline]] inline Window window(const float* low, const float* high) {
  constexpr std::ptrdiff_t step = lanes<float>;
  return {load(low),  load(low + step),  load(low + 2 * step),  load(low + 3 * step),
          load(high), load(high + step), load(high + 2 * step), load(high + 3 * step)};
}

// Makes of a window the one `low` and `high` of which are `by` registers further out.
template <std::ptrdiff_t by>
[[gnu::always_inline]] inline void widen(Window& w, const float* low, const float* high) {
  constexpr std::ptrdiff_t step = lanes<float>;
  if constexpr (by == 1) {
    w.before3 = w.before2;
    w.before2 = w.before1;
    w.before1 = w.before0;
    w.after0 = w.after1;
    w.after1 = w.after2;
    w.after2 = w.after3;
  } else {
    static_assert(by == 2);
    w.before3 = w.before1;
    w.before2 = w.before0;
    w.before1 = load(low + step);
    w.after0 = w.after2;
    w.after1 = w.after3;
    w.after2 = load(high + 2 * step);
  }
  w.before0 = load(low);
  w.after3 = load(high + 3 * step);
}

[[gnu::always_inline]] inline void add(const Window& w, float weight, FourLanes& sums) {
  sums.of[0] += weight * (w.before0 + w.after0);
  sums.of[1] += weight * (w.before1 + w.after1);
  sums.of[2] += weight * (w.before2 + w.after2);
  sums.of[3] += weight * (w.before3 + w.after3);
}

// Adds the taps first, first + 2, ...: two taps further, a register holds what others held before. Where registers are
// so wide that this is so only four taps further, there are two windows in turn.
[[gnu::always_inline]] inline void add_taps(const float* lines, const float* weights, std::ptrdiff_t first,
                                            std::ptrdiff_t reach, FourLanes& sums) {
  if (first > reach) return;
  const auto low = [&](std::ptrdiff_t k) { return lines - count * k; };
  const auto high = [&](std::ptrdiff_t k) { return lines + count * k; };
  Window near = window(low(first), high(first));
  add(near, weights[first], sums);
  std::ptrdiff_t k = first + 2;
  if constexpr (lanes<float> <= 2 * count) {
#pragma GCC unroll 4
    for (; k <= reach; k += 2) {
      widen<2 * count / lanes<float>>(near, low(k), high(k));
      add(near, weights[k], sums);
    }
  } else {
    if (k > reach) return;
    Window far = window(low(k), high(k));
    add(far, weights[k], sums);
    for (k += 2; k + 2 <= reach; k += 4) {
      widen<1>(near, low(k), high(k));
      add(near, weights[k], sums);
      widen<1>(far, low(k + 2), high(k + 2));
      add(far, weights[k + 2], sums);
    }
    if (k > reach) return;
    widen<1>(near, low(k), high(k));
    add(near, weights[k], sums);
  }
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
