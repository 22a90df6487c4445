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
          std::size_t n, float* picked, std::size_t* above) {
  const Floats none = missing + Floats{};
  Wholes cut_off{};
  Wholes higher{};
  std::size_t x = 0;
  for (; x + block <= n; x += block) {
    if (all_usable(mask + x, left_out)) {
      for (std::size_t i = x; i < x + block; i += at_once) {
        const Floats v = load(values + i);
        higher -= v > hi;
        store((v >= lo) & (v <= hi) ? v : none, picked + i);
      }
    } else {
      for (std::size_t i = x; i < x + block; i += at_once) {
        const Wholes bits = load_bits(mask + i) & static_cast<std::int32_t>(left_out);
        const Floats v = load(values + i);
        cut_off -= bits == static_cast<std::int32_t>(cut);
        higher -= (bits == 0) & (v > hi);
        store((bits == 0) & (v >= lo) & (v <= hi) ? v : none, picked + i);
      }
    }
  }
  bool found = total(cut_off) != 0;
  *above += total(higher);
  for (; x < n; ++x) {
    const auto bits = static_cast<std::uint8_t>(mask[x] & left_out);
    found = found || bits == cut;
    *above += bits == 0 && values[x] > hi ? 1 : 0;
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

// The same, missing in parts that are not so wide.
template <class T>
Doubles across_some(const T* row, const std::size_t* edges, std::size_t i) {
  const auto of = [&](std::size_t k) {
    return static_cast<double>(edges[k] + i < edges[k + 1] ? row[edges[k] + i] : missing);
  };
  if constexpr (sizeof(Doubles) == 4 * sizeof(double)) {
    return Doubles{of(0), of(1), of(2), of(3)};
  } else {
    return Doubles{of(0), of(1)};
  }
}

const float* row_at(const float* rows, std::ptrdiff_t stride, std::size_t y) {
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(rows) + static_cast<std::ptrdiff_t>(y) * stride);
}

// As many parts as a register holds.
template <bool with_noise>
void add_some(const TileRows& rows, const std::size_t* edges, double* firsts, std::int64_t* counts, double* sums,
              double* square_sums, double* noises) {
  std::size_t least = edges[1] - edges[0];
  std::size_t most = least;
  for (std::size_t k = 1; k < together; ++k) {
    const std::size_t width = edges[k + 1] - edges[k];
    least = width < least ? width : least;
    most = width > most ? width : most;
  }
  Doubles first = load(firsts);
  IndexLanes<double> n = load(counts);
  Doubles sum = load(sums);
  Doubles squares = load(square_sums);
  Doubles noise = load(noises);
  const auto add = [&](const Doubles& v) {
    const auto there = v == v;
    first = first == first ? first : v;
    const Doubles d = there ? v - first : Doubles{};
    n -= there;
    sum += d;
    squares += d * d;
    return there;
  };
  for (std::size_t y = 0; y < rows.count; ++y) {
    const float* const values = row_at(rows.values, rows.values_stride, y);
    const float* const variance = with_noise ? row_at(rows.variance, rows.variance_stride, y) : nullptr;
    for (std::size_t i = 0; i < least; ++i) {
      const auto there = add(across(values, edges, i));
      if constexpr (with_noise) noise += there ? across(variance, edges, i) : Doubles{};
    }
    for (std::size_t i = least; i < most; ++i) {
      const auto there = add(across_some(values, edges, i));
      if constexpr (with_noise) noise += there ? across_some(variance, edges, i) : Doubles{};
    }
  }
  store(first, firsts);
  store(n, counts);
  store(sum, sums);
  store(squares, square_sums);
  store(noise, noises);
}

template <bool with_noise>
void add_rows(const TileRows& rows, const std::size_t* edges, std::size_t parts, const TileSums& s) {
  std::size_t k = 0;
  for (; k + together <= parts; k += together) {
    add_some<with_noise>(rows, edges + k, s.first + k, s.n + k, s.sum + k, s.squares + k, s.noise + k);
  }
  for (; k < parts; ++k) {
    for (std::size_t y = 0; y < rows.count; ++y) {
      const float* const values = row_at(rows.values, rows.values_stride, y);
      const float* const variance = with_noise ? row_at(rows.variance, rows.variance_stride, y) : nullptr;
      for (std::size_t x = edges[k]; x < edges[k + 1]; ++x) {
        const auto v = static_cast<double>(values[x]);
        if (v != v) continue;
        if (s.n[k]++ == 0) s.first[k] = v;
        const double d = v - s.first[k];
        s.sum[k] += d;
        s.squares[k] += d * d;
        if constexpr (with_noise) s.noise[k] += static_cast<double>(variance[x]);
      }
    }
  }
}

void add_tiles(const TileRows& rows, const std::size_t* edges, std::size_t parts, const TileSums& sums) {
  if (rows.variance != nullptr) {
    add_rows<true>(rows, edges, parts, sums);
  } else {
    add_rows<false>(rows, edges, parts, sums);
  }
}

// As many parts as a register holds.
void finish_some(const double* first, const std::int64_t* counts, const double* sums, const double* square_sums,
                 const double* noises, float* mean, double* within, double* noise) {
  const Doubles n = load_doubles(counts);
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
  double rest[6][together] = {};
  std::int64_t counts[together] = {};
  float means[together] = {};
  for (std::size_t i = k; i < n; ++i) {
    rest[0][i - k] = s.first[i];
    counts[i - k] = s.n[i];
    rest[1][i - k] = s.sum[i];
    rest[2][i - k] = s.squares[i];
    rest[3][i - k] = s.noise[i];
  }
  finish_some(rest[0], counts, rest[1], rest[2], rest[3], means, rest[4], rest[5]);
  for (std::size_t i = k; i < n; ++i) {
    mean[i] = means[i - k];
    within[i] = rest[4][i - k];
    noise[i] = rest[5][i - k];
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const TileKernels tiles{count, pick, add_tiles, finish_tiles};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
