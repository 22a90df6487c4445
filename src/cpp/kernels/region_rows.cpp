// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "region_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const RegionKernels regions;
}
namespace {

using Bytes = Lanes<std::uint8_t>;
using Floats = Lanes<float>;
using Doubles = Lanes<double>;

constexpr std::size_t block = 32;
constexpr std::size_t ways = 8;  // sums side by side
constexpr auto floats = static_cast<std::size_t>(lanes<float>);
constexpr auto doubles = static_cast<std::size_t>(lanes<double>);
constexpr std::size_t registers = ways / doubles;

std::size_t count(const std::uint8_t* region, std::size_t n) {
  std::size_t found = 0;
  std::size_t x = 0;
  constexpr std::size_t most = 255;  // of a byte
  while (x + lane_bytes <= n) {
    Bytes sums{};
    for (std::size_t i = 0; i < most && x + lane_bytes <= n; ++i, x += lane_bytes) {
      sums -= static_cast<Bytes>(load(region + x) != 0);
    }
    for (std::size_t k = 0; k < lane_bytes; ++k) found += sums[k];
  }
  for (; x < n; ++x) found += region[x] != 0 ? 1U : 0U;
  return found;
}

// Of the pixels of a block, one bit each.
struct BlockBits {
  std::uint32_t asked;
  std::uint32_t used;
  std::uint32_t lost;  // left out by the mask
};

constexpr std::uint32_t all = 0xFFFFFFFFU;
static_assert(block == 32);

// Which bytes have any of the bits.
std::uint32_t any_of(const std::uint8_t* bytes, std::uint8_t bits) {
  std::uint32_t found = 0;
  for (std::size_t k = 0; k < block; k += lane_bytes) found |= bits_of((load(bytes + k) & bits) != 0) << k;
  return found;
}

std::uint32_t finite(const float* values) {
  std::uint32_t found = 0;
  for (std::size_t k = 0; k < block; k += floats) {
    const Floats v = load(values + k);
    found |= bits_of(v - v == 0) << k;  // infinities and NaN alike are left out. NOLINT(misc-redundant-expression)
  }
  return found;
}

BlockBits bits_at(const RegionRow& row, std::size_t x) {
  const std::uint32_t asked = row.region == nullptr ? all : any_of(row.region + x, 0xFF);
  if (asked == 0) return {};
  const std::uint32_t lost = any_of(row.mask + x, row.left_out);
  return {asked, asked & ~lost & finite(row.values + x), lost};
}

template <class V>
[[gnu::always_inline]] inline void add(const V& v, V& total, V& lost) {
  const V next = total + v;
  const V taken = next - total;
  lost += (total - (next - taken)) + (v - taken);
  total = next;
}

struct Sums {
  Doubles total[registers] = {};
  Doubles lost[registers] = {};
};

Sum added(const Sums& sums, const double* terms, std::size_t n) {
  double total[ways];
  double lost[ways];
  for (std::size_t k = 0; k < registers; ++k) {
    store(sums.total[k], total + k * doubles);
    store(sums.lost[k], lost + k * doubles);
  }
  for (std::size_t k = 0; k < n; ++k) add(terms[k], total[k % ways], lost[k % ways]);
  Sum sum;
  for (std::size_t k = 0; k < ways; ++k) {
    add(total[k], sum.total, sum.lost);
    sum.lost += lost[k];
  }
  return sum;
}

struct Row {
  Sums values;
  Sums squares;
  Floats low = __builtin_inff() + Floats{};
  Floats high = -__builtin_inff() + Floats{};
};

// Whole blocks. The squares of four values in turn are added first: they are rounded anyway.
void add_up(const float* values, std::size_t n, double centre, Row& row) {
  Sums sums = row.values;
  Sums squares = row.squares;
  Floats low = row.low;
  Floats high = row.high;
  for (std::size_t x = 0; x < n; x += block) {
    Doubles four[registers];
    for (std::size_t i = 0; i < block; i += ways) {
      for (std::size_t k = 0; k < registers; ++k) {
        const Doubles v = load_doubles(values + x + i + k * doubles);
        const Doubles d = v - centre;
        four[k] = i == 0 ? d * d : four[k] + d * d;
        add(v, sums.total[k], sums.lost[k]);
      }
    }
    for (std::size_t k = 0; k < registers; ++k) add(four[k], squares.total[k], squares.lost[k]);
    for (std::size_t k = 0; k < block; k += floats) {
      const Floats v = load(values + x + k);
      low = v < low ? v : low;
      high = v > high ? v : high;
    }
  }
  row = {sums, squares, low, high};
}

constexpr std::size_t at_least = 4;
constexpr std::uint32_t top_bit = 0x80000000U;

// Whole blocks.
void look_through(const Window& window, const float* values, std::size_t n, WindowCounts& counts) {
  const Floats low = window.low + Floats{};
  const Floats high = window.high + Floats{};
  IndexLanes<float> from_low_on{};
  float* kept = counts.kept + counts.inside;
  for (std::size_t x = 0; x < n; x += block) {
    const float* const from = values + x;
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < block; k += floats) {
      const Floats v = load(from + k);
      const IndexLanes<float> reaches = v >= low;
      from_low_on -= reaches;
      bits |= bits_of(reaches & (v <= high)) << k;
    }
    // Few of them, but nobody can guess how many: some are always copied, what they are or not.
    float* const end = kept + __builtin_popcount(bits);
    for (std::size_t k = 0; k < at_least; ++k) {
      kept[k] = from[__builtin_ctz(bits | top_bit)];
      bits &= bits - 1;
    }
    kept += at_least;
    for (; bits != 0; bits &= bits - 1) *kept++ = from[__builtin_ctz(bits)];
    kept = end;
  }
  std::size_t reaching = 0;
  for (std::size_t k = 0; k < floats; ++k) reaching += static_cast<std::size_t>(from_low_on[k]);
  counts.below += n - reaching;
  counts.inside = static_cast<std::size_t>(kept - counts.kept);
}

RowSums take(const RegionRow& pixels, float centre, const Window* windows, std::size_t n_windows, RegionCounts* counts,
             WindowCounts* window_counts, float* loose) {
  const auto middle = static_cast<double>(centre);
  Row row;
  std::size_t n_loose = 0;
  const auto take_blocks = [&](const float* values, std::size_t n) {
    add_up(values, n, middle, row);
    for (std::size_t w = 0; w < n_windows; ++w) look_through(windows[w], values, n, window_counts[w]);
    counts->n += n;
  };
  const auto pick = [&](const RegionRow& from, std::size_t at, const BlockBits& bits) {
    counts->asked += static_cast<std::size_t>(__builtin_popcount(bits.asked));
    if ((bits.asked & bits.lost) != 0) {
      const std::uint32_t saturated = bits.asked & any_of(from.mask + at, from.saturated);
      counts->saturated += static_cast<std::size_t>(__builtin_popcount(saturated));
    }
    for (std::size_t k = 0; k < block; ++k) {
      loose[n_loose] = from.values[at + k];
      n_loose += (bits.used >> k) & 1U;
    }
  };
  std::size_t x = 0;
  std::size_t whole = 0;  // blocks from here to x are whole and wait to be taken
  const auto take_up_to = [&](std::size_t end) {
    if (whole == end) return;
    take_blocks(pixels.values + whole, end - whole);
    counts->asked += end - whole;
  };
  for (; x + block <= pixels.width; x += block) {
    const BlockBits bits = bits_at(pixels, x);
    if (bits.used == all) continue;
    take_up_to(x);
    whole = x + block;
    if (bits.asked != 0) pick(pixels, x, bits);
  }
  take_up_to(x);
  if (x < pixels.width) {  // the rest as a block of its own, the end of which nobody asks for
    float values[block] = {};
    std::uint8_t mask[block] = {};
    std::uint8_t region[block] = {};
    for (std::size_t k = 0; x + k < pixels.width; ++k) {
      values[k] = pixels.values[x + k];
      mask[k] = pixels.mask[x + k];
      region[k] = pixels.region == nullptr ? 1 : pixels.region[x + k];
    }
    const RegionRow rest{values, mask, region, block, pixels.left_out, pixels.saturated};
    pick(rest, 0, bits_at(rest, 0));
  }
  const std::size_t blocks = n_loose / block * block;
  if (blocks > 0) take_blocks(loose, blocks);

  double rest[block];
  double squares[block];
  const std::size_t left = n_loose - blocks;
  for (std::size_t k = 0; k < left; ++k) {
    const float v = loose[blocks + k];
    rest[k] = static_cast<double>(v);
    squares[k] = (rest[k] - middle) * (rest[k] - middle);
    counts->least = v < counts->least ? v : counts->least;
    counts->most = v > counts->most ? v : counts->most;
    for (std::size_t w = 0; w < n_windows; ++w) {
      WindowCounts& found = window_counts[w];
      found.below += v < windows[w].low ? 1U : 0U;
      if (v >= windows[w].low && v <= windows[w].high) found.kept[found.inside++] = v;
    }
  }
  for (std::size_t k = 0; k < floats; ++k) {
    counts->least = row.low[k] < counts->least ? row.low[k] : counts->least;
    counts->most = row.high[k] > counts->most ? row.high[k] : counts->most;
  }
  counts->n += left;
  return {added(row.values, rest, left), added(row.squares, squares, left)};
}

}  // namespace

namespace PYICG_KERNEL_SET {
const RegionKernels regions{count, take};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
