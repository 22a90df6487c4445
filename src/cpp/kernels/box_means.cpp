// Compiled once for each instruction set: see lanes.hpp. Plain loops where the compiler makes vectors of them.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "box_means.hpp"

#include "lanes.hpp"
#include "packed_flags.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const BoxKernels boxes;
}
namespace {

constexpr float largest_float = __FLT_MAX__;

void fill(const float* data, const std::uint8_t* mask, const std::uint8_t* glare, std::uint8_t left_out, std::size_t n,
          float* __restrict sums, std::uint8_t* __restrict counts) {
  for (std::size_t x = 0; x < n; ++x) counts[x] = (mask[x] & left_out) == 0 ? 1 : 0;
  for (std::size_t x = 0; x < n; ++x) {
    const float valid = (mask[x] & left_out) == 0 ? data[x] : 0.0F;
    sums[x] = glare[x] != 0 ? __builtin_nanf("") : valid;
  }
}

void double_sums(const float* top, const float* bottom, std::size_t n, std::size_t step, float* __restrict out) {
  for (std::size_t x = 0; x < n; ++x) out[x] = (top[x] + bottom[x + step]) + (top[x + step] + bottom[x]);
}

void double_counts(const std::uint8_t* top, const std::uint8_t* bottom, std::size_t n, std::size_t step,
                   std::uint8_t* __restrict out) {
  for (std::size_t x = 0; x < n; ++x) {
    out[x] = static_cast<std::uint8_t>((top[x] + bottom[x + step]) + (top[x + step] + bottom[x]));
  }
}

void means(const float* sums, const std::uint8_t* counts, std::size_t n, std::size_t pixels, float* __restrict out) {
  const auto all = static_cast<int>(pixels);
  for (std::size_t x = 0; x < n; ++x) {
    const int held = counts[x];
    out[x] = 2 * held >= all ? sums[x] / static_cast<float>(held) : __builtin_nanf("");
  }
}

void full_means(const float* sums, std::size_t n, std::size_t pixels, float* __restrict out) {
  const float share = 1 / static_cast<float>(pixels);
  for (std::size_t x = 0; x < n; ++x) out[x] = sums[x] * share;
}

using Floats = Lanes<float>;
using Doubles = Lanes<double>;
constexpr auto at_once = static_cast<std::size_t>(lanes<float>);
constexpr auto together = static_cast<std::size_t>(lanes<double>);
static_assert(at_once <= places_at_once);

// Four boxes around each of as many places in a row as a register holds: a b over c d.
struct Corners {
  Floats a, b, c, d;
  [[nodiscard]] Floats along_x() const { return ((b + d) - (a + c)) / 2.0F; }
  [[nodiscard]] Floats along_y() const { return ((c + d) - (a + b)) / 2.0F; }
  // Variance of one box where the image is locally a plane.
  [[nodiscard]] Floats noise() const {
    const Floats cross = (a + d) - (b + c);
    return cross * cross / 4.0F;
  }
};

struct Boxes {
  const float* top;
  const float* bottom;
  std::size_t apart;
  [[nodiscard]] Corners at(std::size_t x) const {
    return {load(top + x), load(top + x + apart), load(bottom + x), load(bottom + x + apart)};
  }
};

constexpr std::int32_t numbers[places_at_once] = {0, 1, 2, 3, 4, 5, 6, 7};

// The boxes of a block of places.
struct Block {
  std::size_t count;
  Boxes coarse, fine;
  Block(const BoxRows& rows, std::size_t first, std::size_t n, std::size_t coarse_apart, std::size_t fine_apart)
      : count(n - first < energy_block ? n - first : energy_block),
        coarse{rows.coarse_top + first, rows.coarse_bottom + first, coarse_apart},
        fine{rows.fine_top + first, rows.fine_bottom + first, fine_apart} {}

  // Energy and noise, -1 and 0 where a mean is missing.
  struct Told {
    IndexLanes<float> there;
    Floats energy, noise;
  };
  [[nodiscard]] Told at(std::size_t x) const {
    const Corners c = coarse.at(x);
    const Floats here = c.along_x() * c.along_x() + c.along_y() * c.along_y();
    const Floats variance = fine.at(x).noise();
    const auto there =
        (here <= largest_float) & (variance <= largest_float) & (load(numbers) < static_cast<std::int32_t>(count - x));
    return {there, there ? here : -1.0F + Floats{}, there ? variance : Floats{}};
  }
};

// Converted together: of single ones compilers make as many instructions.
Doubles widened(const float* from) {
  using HalfLanes [[gnu::vector_size(lane_bytes / 2)]] = float;
  HalfLanes values;
  __builtin_memcpy(&values, from, sizeof(values));
  return __builtin_convertvector(values, Doubles);
}

Energies energies(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, float* energy,
                  float* largest) {
  Energies found{0, 0};
  for (std::size_t first = 0; first < n; first += energy_block) {
    const Block block(rows, first, n, coarse, fine);
    Floats highest = -1.0F + Floats{};
    IndexLanes<float> there{};
    // Sums in eight lanes whatever the registers: the same bits on every instruction set.
    Doubles sums[places_at_once / together] = {};
    for (std::size_t x = 0; x < block.count; x += places_at_once) {
      float noise[places_at_once];
      for (std::size_t i = 0; i < places_at_once; i += at_once) {
        const Block::Told told = block.at(x + i);
        highest = told.energy > highest ? told.energy : highest;
        there -= told.there;
        store(told.energy, energy + first + x + i);
        store(told.noise, noise + i);
      }
      for (std::size_t r = 0; r < places_at_once / together; ++r) sums[r] += widened(noise + r * together);
    }
    float most = -1;
    for (std::size_t k = 0; k < at_once; ++k) {
      most = highest[k] > most ? highest[k] : most;
      found.n += static_cast<std::uint32_t>(there[k]);
    }
    largest[first / energy_block] = most;
    double apart[places_at_once];
    __builtin_memcpy(apart, sums, sizeof(apart));
    found.noise += ((apart[0] + apart[1]) + (apart[2] + apart[3])) + ((apart[4] + apart[5]) + (apart[6] + apart[7]));
  }
  return found;
}

// xx, xy and yy side by side: their sums are then made together.
constexpr std::size_t entries = 4;
struct TensorSums {
  Doubles sums[entries / together];
  explicit TensorSums(const Tensor& t) {
    const double values[entries] = {t.xx, t.xy, t.yy, 0};
    __builtin_memcpy(sums, values, sizeof(sums));
  }
  void add(const float (*products)[energy_block], std::size_t x, const TensorSums& less) {
    using Entries [[gnu::vector_size(entries * sizeof(float))]] = float;
    const Entries values = {products[0][x], products[1][x], products[2][x], 0};
    for (std::size_t r = 0; r < entries / together; ++r) {
      Doubles wide{};
      for (std::size_t i = 0; i < together; ++i) wide[i] = static_cast<double>(values[r * together + i]);
      sums[r] += wide - less.sums[r];
    }
  }
  [[nodiscard]] Tensor tensor() const {
    double values[entries];
    __builtin_memcpy(values, sums, sizeof(values));
    return {values[0], values[1], values[2]};
  }
};

void add_tensors(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, const float* largest,
                 float least, double noise, Tensor* fine_sum, Tensor* coarse_sum) {
  static_assert(energy_block == flags_packed);
  TensorSums of_fine(*fine_sum);
  TensorSums of_coarse(*coarse_sum);
  const TensorSums none({});
  const TensorSums of_noise({noise, 0, noise});
  float energy[energy_block];
  float fine_products[3][energy_block];
  float coarse_products[3][energy_block];
  for (std::size_t first = 0; first < n; first += energy_block) {
    if (!(largest[first / energy_block] >= least)) continue;
    const Block block(rows, first, n, coarse, fine);
    for (float& e : energy) e = -1;
    for (std::size_t x = 0; x < block.count; x += at_once) {
      store(block.at(x).energy, energy + x);
      const Corners f = block.fine.at(x);
      store((f.b - f.a) * (f.d - f.c), fine_products[0] + x);
      store(f.along_x() * f.along_y(), fine_products[1] + x);
      store((f.c - f.a) * (f.d - f.b), fine_products[2] + x);
      const Corners c = block.coarse.at(x);
      store(c.along_x() * c.along_x(), coarse_products[0] + x);
      store(c.along_x() * c.along_y(), coarse_products[1] + x);
      store(c.along_y() * c.along_y(), coarse_products[2] + x);
    }
    std::uint8_t counts[energy_block];
    for (std::size_t x = 0; x < energy_block; ++x) counts[x] = energy[x] >= least ? 1 : 0;
    for (std::uint64_t places = packed(counts); places != 0; places &= places - 1) {
      const auto x = static_cast<std::size_t>(__builtin_ctzll(places));
      of_fine.add(fine_products, x, none);
      of_coarse.add(coarse_products, x, of_noise);
    }
  }
  *fine_sum = of_fine.tensor();
  *coarse_sum = of_coarse.tensor();
}

}  // namespace

namespace PYICG_KERNEL_SET {
const BoxKernels boxes{fill, double_sums, double_counts, means, full_means, energies, add_tensors};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
