// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "distance_lines.hpp"

#include <utility>

#include "lanes.hpp"

namespace pyicg::kernels {

namespace PYICG_KERNEL_SET {
extern const DistanceKernels distance;
}

namespace {

template <class T>
constexpr T largest = __builtin_huge_val();
template <>
constexpr std::int32_t largest<std::int32_t> = 0x7fffffff;

// ---- counting down and up the columns

constexpr std::size_t skip = 32;  // mask bytes that are looked at together: most of a mask of thin rims is zero

bool all_zero(const std::uint8_t* mask) {
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < skip; i += sizeof(any)) {
    std::uint64_t eight = 0;
    __builtin_memcpy(&eight, mask + i, sizeof(eight));
    any |= eight;
  }
  return any == 0;
}

// Register by register: the call that compilers make of a loop costs more than the stores.
void clear(float* values) {
  constexpr Lanes<std::int32_t> zeros{};
  for (std::size_t i = 0; i < skip; i += lane_bytes / sizeof(float)) __builtin_memcpy(values + i, &zeros, lane_bytes);
}

void count_down_one(const std::uint8_t* mask, float* since, float* counts) {
  const float next = *since + 1;
  *since = *mask != 0 ? next : 0;
  *counts = *since;
}

void count_up_one(const std::uint8_t* mask, float* since, float* counts) {
  const float next = *since + 1;
  const float nearer = next < *counts ? next : *counts;
  *since = *mask != 0 ? nearer : 0;
  *counts = *since;
}

template <void (*count_one)(const std::uint8_t*, float*, float*)>
void count_row(const std::uint8_t* mask, std::size_t n, float* since, float* counts) {
  std::size_t x = 0;
  for (; x + skip <= n; x += skip) {
    if (all_zero(mask + x)) {
      clear(since + x);
    } else {
#pragma GCC ivdep
      for (std::size_t i = 0; i < skip; ++i) count_one(mask + x + i, since + x + i, counts + x + i);
    }
  }
  for (; x < n; ++x) count_one(mask + x, since + x, counts + x);
}

void count_down(const std::uint8_t* mask, std::size_t rows, std::size_t stride, std::size_t n, float* since,
                float* counts) {
  for (std::size_t y = 0; y < rows; ++y) count_row<count_down_one>(mask + y * stride, n, since, counts + y * stride);
}

void count_up(const std::uint8_t* mask, std::size_t rows, std::size_t stride, std::size_t n, float* since,
              float* counts) {
  for (std::size_t y = rows; y-- > 0;) count_row<count_up_one>(mask + y * stride, n, since, counts + y * stride);
}

// ---- the lower envelope of parabolas

template <class T>
void square(const float* counts, std::size_t n, T weight, T* squared) {
  for (std::size_t i = 0; i < n; ++i) {
    const bool seen = counts[i] < no_zero_yet;
    const T count = static_cast<T>(seen ? counts[i] : 0.0F);
    const T value = weight * (count * count);
    squared[i] = seen ? value : far_away<T>;
  }
}

// Each of a register's numbers or the one in the lane whose number differs in the bit `apart`, whichever is smaller.
template <int apart, class V, int... lane>
V smaller_of_two(const V& values, std::integer_sequence<int, lane...>) {
  return smaller(values, __builtin_shufflevector(values, values, (lane ^ apart)...));
}

// The smallest of a register's numbers, in all its lanes.
template <class V>
V smallest(V values) {
  constexpr int count = lane_bytes / sizeof(values[0]);
  constexpr std::make_integer_sequence<int, count> each{};
  if constexpr (count > 8) values = smaller_of_two<8>(values, each);
  if constexpr (count > 4) values = smaller_of_two<4>(values, each);
  if constexpr (count > 2) values = smaller_of_two<2>(values, each);
  return smaller_of_two<1>(values, each);
}

// The sites of a line: every pixel ...
template <class T>
struct EveryPixel {
  const T* height;
  const T* parabola;

  // The parabolas of a register of sites from q on, at x; they are even.
  [[nodiscard]] auto squares(std::ptrdiff_t q, std::ptrdiff_t x) const { return load(parabola - x + q); }
  // Where the table of the parabola of site q is, with x = 0 in the middle.
  [[nodiscard]] const T* table(std::ptrdiff_t q) const { return parabola - q; }
};

// ... or those that have been picked, at places of their own.
template <class T>
struct Picked {
  const T* height;
  const T* parabola;
  const T* place;

  [[nodiscard]] auto squares(std::ptrdiff_t q, std::ptrdiff_t x) const {
    const auto d = load(place + q) - static_cast<T>(x);
    return parabola[1] * (d * d);
  }
  [[nodiscard]] const T* table(std::ptrdiff_t q) const { return parabola - static_cast<std::ptrdiff_t>(place[q]); }
};

// The first site in [first, last] whose parabola is lowest at x. No branch depends on the values: they are not
// predictable.
template <class T, template <class> class Sites>
std::int32_t lowest(const Sites<T>& line, std::ptrdiff_t first, std::ptrdiff_t last, std::ptrdiff_t x) {
  using Values = Lanes<T>;
  using Indices = IndexLanes<T>;
  using Index = IndexOf<T>;
  constexpr Index counted[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Indices places;
  __builtin_memcpy(&places, counted, sizeof(places));
  places += static_cast<Index>(first);
  Values least = Values{} + largest<T>;
  Indices sites = Indices{} + static_cast<Index>(first);
  std::ptrdiff_t q = first;
  for (; q + lanes<T> <= last; q += lanes<T>) {
    const Values values = load(line.height + q) + line.squares(q, x);
    const auto lower = values < least;
    least = lower ? values : least;
    sites = lower ? places : sites;
    places += static_cast<Index>(lanes<T>);
  }
  const Values values = load(line.height + q) + line.squares(q, x);
  const auto lower = (values < least) & (places <= static_cast<Index>(last));
  least = lower ? values : least;
  sites = lower ? places : sites;
  const Indices none = Indices{} + static_cast<Index>(last);
  return static_cast<std::int32_t>(smallest(least == smallest(least) ? sites : none)[0]);
}

// One block of pixels from x on, whose nearest sites are all in [first, last].
template <class T, template <class> class Sites>
void sweep(const Sites<T>& line, std::ptrdiff_t first, std::ptrdiff_t last, std::ptrdiff_t x, T* out) {
  constexpr std::ptrdiff_t count = static_cast<std::ptrdiff_t>(distance_block) / lanes<T>;
  Lanes<T> least[count];
  for (std::ptrdiff_t k = 0; k < count; ++k) least[k] = load(line.table(first) + x + k * lanes<T>) + line.height[first];
#pragma GCC unroll 4
  for (std::ptrdiff_t q = first + 1; q <= last; ++q) {
    const T* const table = line.table(q) + x;
    for (std::ptrdiff_t k = 0; k < count; ++k)
      least[k] = smaller(least[k], load(table + k * lanes<T>) + line.height[q]);
  }
  for (std::ptrdiff_t k = 0; k < count; ++k) store(least[k], out + x + k * lanes<T>);
}

// The nearest site moves only to the right as the pixel does (all parabolas have one shape: Felzenszwalb and
// Huttenlocher, Theory of Computing 8 (2012) 415), so those of two pixels enclose those of every pixel between:
// the first pixels of the blocks are searched by halving, and then each block between the two that it has found. The
// work does not depend on how far away the zeros are.
template <class T, template <class> class Sites>
void envelope_of(const Sites<T>& line, std::ptrdiff_t first, std::ptrdiff_t last, std::ptrdiff_t n,
                 std::int32_t* nearest, T* out) {
  constexpr auto block = static_cast<std::ptrdiff_t>(distance_block);
  const std::ptrdiff_t blocks = (n + block - 1) / block;
  nearest[0] = static_cast<std::int32_t>(first);
  nearest[blocks] = static_cast<std::int32_t>(last);
  std::ptrdiff_t step = 1;
  while (2 * step < blocks) step *= 2;
  for (; step > 0; step /= 2) {
    for (std::ptrdiff_t b = step; b < blocks; b += 2 * step) {
      const std::ptrdiff_t right = b + step < blocks ? b + step : blocks;
      nearest[b] = lowest(line, nearest[b - step], nearest[right], b * block);
    }
  }
  for (std::ptrdiff_t b = 0; b < blocks; ++b) sweep(line, nearest[b], nearest[b + 1], b * block, out);
}

// Picks the sites in [-1, n] that a zero has been seen from; returns how many.
template <class T>
std::ptrdiff_t pick(const T* height, std::ptrdiff_t n, T* place, T* picked) {
  std::ptrdiff_t count = 0;
  for (std::ptrdiff_t q = -1; q <= n; q += lanes<T>) {
    const bool whole = q + lanes<T> <= n + 1;
    if (whole && smallest(load(height + q))[0] >= far_away<T>) continue;
    const std::ptrdiff_t end = whole ? q + lanes<T> : n + 1;
    for (std::ptrdiff_t k = q; k < end; ++k) {
      place[count] = static_cast<T>(k);
      picked[count] = height[k];
      count += height[k] < far_away<T> ? 1 : 0;
    }
  }
  return count;
}

template <class T>
void envelope(const T* height, std::size_t n, const T* parabola, const EnvelopeScratch<T>& scratch, T* out) {
  const auto last = static_cast<std::ptrdiff_t>(n);
  std::int32_t seen = 0;
  for (std::ptrdiff_t q = -1; q <= last; ++q) seen += height[q] < far_away<T> ? 1 : 0;
  if (seen == 0) {
    for (std::size_t x = 0; x < n; ++x) out[x] = far_away<T>;
  } else if (seen < last / 2) {
    const std::ptrdiff_t picked = pick(height, last, scratch.place, scratch.height);
    envelope_of(Picked<T>{scratch.height, parabola, scratch.place}, 0, picked - 1, last, scratch.nearest, out);
  } else {
    envelope_of(EveryPixel<T>{height, parabola}, -1, last, last, scratch.nearest, out);
  }
}

// ---- turning squares of numbers

// As many numbers as every processor's smallest vector holds, so that one way of turning does for all.
template <class T>
struct Small;
template <>
struct Small<std::int32_t> {
  using Values [[gnu::vector_size(16)]] = std::int32_t;
};
template <>
struct Small<double> {
  using Values [[gnu::vector_size(16)]] = double;
};

void turn_corner(const std::int32_t* from, std::size_t from_stride, std::int32_t* to, std::size_t to_stride) {
  Small<std::int32_t>::Values row[4];
  for (std::size_t k = 0; k < 4; ++k) __builtin_memcpy(&row[k], from + k * from_stride, sizeof(row[k]));
  const auto low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const auto low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const auto high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const auto high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  const Small<std::int32_t>::Values column[4] = {
      __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
      __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
  for (std::size_t k = 0; k < 4; ++k) __builtin_memcpy(to + k * to_stride, &column[k], sizeof(column[k]));
}

void turn_corner(const double* from, std::size_t from_stride, double* to, std::size_t to_stride) {
  Small<double>::Values row[2];
  for (std::size_t k = 0; k < 2; ++k) __builtin_memcpy(&row[k], from + k * from_stride, sizeof(row[k]));
  const Small<double>::Values column[2] = {__builtin_shufflevector(row[0], row[1], 0, 2),
                                           __builtin_shufflevector(row[0], row[1], 1, 3)};
  for (std::size_t k = 0; k < 2; ++k) __builtin_memcpy(to + k * to_stride, &column[k], sizeof(column[k]));
}

template <class T>
void turn(const T* from, std::size_t from_stride, T* to, std::size_t to_stride) {
  constexpr std::size_t corner = 16 / sizeof(T);
  for (std::size_t y = 0; y < distance_block; y += corner) {
    for (std::size_t x = 0; x < distance_block; x += corner) {
      turn_corner(from + y * from_stride + x, from_stride, to + x * to_stride + y, to_stride);
    }
  }
}

// ---- square roots

template <class T>
void double_root(const T* squared, std::size_t squared_stride, std::size_t rows, std::size_t n, double unit, float* out,
                 std::size_t out_stride) {
  for (std::size_t y = 0; y < rows; ++y) {
    const T* const from = squared + y * squared_stride;
    float* const to = out + y * out_stride;
    for (std::size_t x = 0; x < n; ++x) to[x] = static_cast<float>(unit * __builtin_sqrt(static_cast<double>(from[x])));
  }
}

// Multiplying a float by such a unit changes its exponent only. (Far from where floats end.)
bool power_of_two(double unit) {
  std::uint64_t bits = 0;
  __builtin_memcpy(&bits, &unit, sizeof(bits));
  return (bits & ((std::uint64_t{1} << 52) - 1)) == 0 && unit > 1e-9 && unit < 1e9;
}

// float holds the integers up to 2^24, and IEEE 754 rounds the root of what it holds correctly: no double is needed.
void whole_root(const std::int32_t* squared, std::size_t squared_stride, std::size_t rows, std::size_t n, double unit,
                float* out, std::size_t out_stride) {
  std::int32_t all = 0;
  for (std::size_t y = 0; y < rows; ++y) {
    for (std::size_t x = 0; x < n; ++x) all |= squared[y * squared_stride + x];
  }
  if (!power_of_two(unit) || all >= std::int32_t{1} << 24) {
    double_root(squared, squared_stride, rows, n, unit, out, out_stride);
    return;
  }
  const auto scale = static_cast<float>(unit);
  for (std::size_t y = 0; y < rows; ++y) {
    const std::int32_t* const from = squared + y * squared_stride;
    float* const to = out + y * out_stride;
    for (std::size_t x = 0; x < n; ++x) to[x] = scale * __builtin_sqrtf(static_cast<float>(from[x]));
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const DistanceKernels distance{
    count_down,
    count_up,
    {square<std::int32_t>, envelope<std::int32_t>, turn<std::int32_t>, whole_root},
    {square<double>, envelope<double>, turn<double>, double_root<double>},
};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
