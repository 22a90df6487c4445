// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "tile_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const TileKernels tiles;
}
namespace {

using Floats = Lanes<float>;
using Doubles = Lanes<double>;
using Wholes = Lanes<std::int32_t>;
constexpr float missing = __builtin_nanf("");
constexpr auto at_once = static_cast<std::size_t>(lanes<float>);
constexpr auto together = static_cast<std::size_t>(lanes<double>);
constexpr std::size_t block = 32;  // mask bytes that are looked at together: most of them leave nothing out

bool all_usable(const std::uint8_t* mask, std::uint8_t left_out) {
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < block; i += sizeof(any)) {
    std::uint64_t eight = 0;
    __builtin_memcpy(&eight, mask + i, sizeof(eight));
    any |= eight;
  }
  return (any & (left_out * 0x0101010101010101ULL)) == 0;
}

Wholes load_bits(const std::uint8_t* mask) {
  using Bytes [[gnu::vector_size(lane_bytes / sizeof(float))]] = std::uint8_t;
  Bytes bytes;
  __builtin_memcpy(&bytes, mask, sizeof(bytes));
  return __builtin_convertvector(bytes, Wholes);
}

std::size_t total(const Wholes& v) {
  std::size_t sum = 0;
  for (std::size_t k = 0; k < at_once; ++k) sum += static_cast<std::uint32_t>(v[k]);
  return sum;
}

bool count(const float* values, const std::uint8_t* mask, std::uint8_t left_out, float limit, std::size_t n,
           RowCounts* counts) {
  Wholes zeros{};
  Wholes negative{};
  Wholes over{};
  std::size_t lost = 0;
  std::size_t x = 0;
  for (; x + block <= n; x += block) {
    if (all_usable(mask + x, left_out)) {
      for (std::size_t i = x; i < x + block; i += at_once) {
        const Floats v = load(values + i);
        zeros -= v == 0.0F;
        negative -= v < 0.0F;
        over -= v > limit;
      }
    } else {
      Wholes left{};
      for (std::size_t i = x; i < x + block; i += at_once) {
        const Floats v = load(values + i);
        const Wholes ok = (load_bits(mask + i) & static_cast<std::int32_t>(left_out)) == 0;
        left += ok + 1;
        zeros -= ok & (v == 0.0F);
        negative -= ok & (v < 0.0F);
        over -= ok & (v > limit);
      }
      lost += total(left);
    }
  }
  counts->zeros += total(zeros);
  counts->negative += total(negative);
  counts->over += total(over);
  for (; x < n; ++x) {
    const bool ok = (mask[x] & left_out) == 0;
    lost += ok ? 0 : 1;
    counts->zeros += ok && values[x] == 0.0F ? 1 : 0;
    counts->negative += ok && values[x] < 0.0F ? 1 : 0;
    counts->over += ok && values[x] > limit ? 1 : 0;
  }
  counts->usable += n - lost;
  return lost != 0;
}

bool pick(const float* values, const std::uint8_t* mask, std::uint8_t left_out, std::uint8_t cut, float lo, float hi,
          std::size_t n, float* picked) {
  const Floats none = missing + Floats{};
  Wholes cut_off{};
  std::size_t x = 0;
  for (; x + block <= n; x += block) {
    if (all_usable(mask + x, left_out)) {
      for (std::size_t i = x; i < x + block; i += at_once) {
        const Floats v = load(values + i);
        store((v >= lo) & (v <= hi) ? v : none, picked + i);
      }
    } else {
      for (std::size_t i = x; i < x + block; i += at_once) {
        const Wholes bits = load_bits(mask + i) & static_cast<std::int32_t>(left_out);
        const Floats v = load(values + i);
        cut_off -= bits == static_cast<std::int32_t>(cut);
        store((bits == 0) & (v >= lo) & (v <= hi) ? v : none, picked + i);
      }
    }
  }
  bool found = total(cut_off) != 0;
  for (; x < n; ++x) {
    const int bits = mask[x] & left_out;
    found = found || bits == cut;
    picked[x] = bits == 0 && values[x] >= lo && values[x] <= hi ? values[x] : missing;
  }
  return found;
}

// The i-th pixel of each of as many parts as a register holds. Converted one by one: of that, compilers make the
// instruction that converts them together.
template <class T>
Doubles across(const T* row, const std::size_t* edges, std::size_t i) {
  const auto of = [&](std::size_t k) { return static_cast<double>(row[edges[k] + i]); };
  if constexpr (sizeof(Doubles) == 4 * sizeof(double)) {
    return Doubles{of(0), of(1), of(2), of(3)};
  } else {
    return Doubles{of(0), of(1)};
  }
}

// Pixels that the narrowest of the parts has.
std::size_t least_width(const std::size_t* edges) {
  std::size_t least = edges[1] - edges[0];
  for (std::size_t k = 1; k < together; ++k) {
    const std::size_t width = edges[k + 1] - edges[k];
    least = width < least ? width : least;
  }
  return least;
}

// Every part alone from its pixel `skipped` on.
template <class Add>
void add_rest(const std::size_t* edges, std::size_t first, std::size_t last, std::size_t skipped, const Add& add) {
  for (std::size_t k = first; k < last; ++k) {
    for (std::size_t x = edges[k] + skipped; x < edges[k + 1]; ++x) add(k, x);
  }
}

template <bool with_noise>
void add_tile_row(const float* values, const float* variance, const std::size_t* edges, std::size_t parts,
                  const TileSums& sums) {
  const TileSums s = sums;
  const auto add_one = [&](std::size_t k, std::size_t x) {
    const auto v = static_cast<double>(values[x]);
    if (v != v) return;
    if (s.n[k] == 0) s.first[k] = v;
    const double d = v - s.first[k];
    s.n[k] += 1;
    s.sum[k] += d;
    s.squares[k] += d * d;
    if constexpr (with_noise) s.noise[k] += static_cast<double>(variance[x]);
  };
  std::size_t k = 0;
  for (; k + together <= parts; k += together) {
    const std::size_t common = least_width(edges + k);
    Doubles first = load(s.first + k);
    Doubles n = load(s.n + k);
    Doubles sum = load(s.sum + k);
    Doubles squares = load(s.squares + k);
    Doubles noise = load(s.noise + k);
    for (std::size_t i = 0; i < common; ++i) {
      const Doubles v = across(values, edges + k, i);
      const auto there = v == v;
      first = (there & (n == 0.0)) ? v : first;
      const Doubles d = there ? v - first : Doubles{};
      n += there ? Doubles{} + 1.0 : Doubles{};
      sum += d;
      squares += d * d;
      if constexpr (with_noise) noise += there ? across(variance, edges + k, i) : Doubles{};
    }
    store(first, s.first + k);
    store(n, s.n + k);
    store(sum, s.sum + k);
    store(squares, s.squares + k);
    store(noise, s.noise + k);
    add_rest(edges, k, k + together, common, add_one);
  }
  add_rest(edges, k, parts, 0, add_one);
}

void add_tiles(const float* values, const float* variance, const std::size_t* edges, std::size_t parts,
               const TileSums& sums) {
  if (variance != nullptr) {
    add_tile_row<true>(values, variance, edges, parts, sums);
  } else {
    add_tile_row<false>(values, variance, edges, parts, sums);
  }
}

// As many parts as a register holds.
void finish_some(const double* first, const double* counts, const double* sums, const double* square_sums,
                 const double* noises, float* mean, double* within, double* noise) {
  const Doubles n = load(counts);
  const Doubles sum = load(sums);
  const Doubles level = load(first) + sum / n;
  for (std::size_t k = 0; k < together; ++k) mean[k] = static_cast<float>(level[k]);
  const Doubles scatter = load(square_sums) - sum * sum / n;
  const Doubles variance = (scatter < 0.0 ? Doubles{} : scatter) / (n - 1.0);
  store(n > 1.0 ? variance : Doubles{}, within);
  store(load(noises) / n, noise);
}

void finish_tiles(const TileSums& sums, std::size_t n, float* mean, double* within, double* noise) {
  const TileSums s = sums;
  std::size_t k = 0;
  for (; k + together <= n; k += together) {
    finish_some(s.first + k, s.n + k, s.sum + k, s.squares + k, s.noise + k, mean + k, within + k, noise + k);
  }
  double rest[7][together] = {};
  float means[together] = {};
  for (std::size_t i = k; i < n; ++i) {
    rest[0][i - k] = s.first[i];
    rest[1][i - k] = s.n[i];
    rest[2][i - k] = s.sum[i];
    rest[3][i - k] = s.squares[i];
    rest[4][i - k] = s.noise[i];
  }
  finish_some(rest[0], rest[1], rest[2], rest[3], rest[4], means, rest[5], rest[6]);
  for (std::size_t i = k; i < n; ++i) {
    mean[i] = means[i - k];
    within[i] = rest[5][i - k];
    noise[i] = rest[6][i - k];
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const TileKernels tiles{count, pick, add_tiles, finish_tiles};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
