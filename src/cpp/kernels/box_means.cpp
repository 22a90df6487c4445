// Compiled once for each instruction set: see lanes.hpp. Plain loops where the compiler makes vectors of them.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "box_means.hpp"

#include "lanes.hpp"

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

// Sums in eight lanes whatever the registers: the same bits on every instruction set.
constexpr std::size_t summed_apart = 8;
using HalfLanes [[gnu::vector_size(lane_bytes / 2)]] = float;
constexpr std::size_t doubles = lane_bytes / sizeof(double);

double sum(const float* values, std::size_t n) {
  Lanes<double> sums[summed_apart / doubles] = {};
  std::size_t x = 0;
  for (; x + summed_apart <= n; x += summed_apart) {
    for (std::size_t r = 0; r < summed_apart / doubles; ++r) {
      HalfLanes part;
      __builtin_memcpy(&part, values + x + r * doubles, sizeof(part));
      sums[r] += __builtin_convertvector(part, Lanes<double>);
    }
  }
  double apart[summed_apart];
  __builtin_memcpy(apart, sums, sizeof(apart));
  for (std::size_t i = 0; x < n; ++x, ++i) apart[i] += static_cast<double>(values[x]);
  return ((apart[0] + apart[1]) + (apart[2] + apart[3])) + ((apart[4] + apart[5]) + (apart[6] + apart[7]));
}

// Four boxes around each place: a b over c d.
struct Boxes {
  const float* top;
  const float* bottom;
  std::size_t apart;
  [[nodiscard]] float a(std::size_t x) const { return top[x]; }
  [[nodiscard]] float b(std::size_t x) const { return top[x + apart]; }
  [[nodiscard]] float c(std::size_t x) const { return bottom[x]; }
  [[nodiscard]] float d(std::size_t x) const { return bottom[x + apart]; }
  [[nodiscard]] float along_x(std::size_t x) const { return ((b(x) + d(x)) - (a(x) + c(x))) / 2; }
  [[nodiscard]] float along_y(std::size_t x) const { return ((c(x) + d(x)) - (a(x) + b(x))) / 2; }
  // Variance of one box where the image is locally a plane.
  [[nodiscard]] float noise(std::size_t x) const {
    const float cross = (a(x) + d(x)) - (b(x) + c(x));
    return cross * cross / 4;
  }
};

// The boxes of a block of places, and their energies.
struct Block {
  std::size_t count;
  Boxes coarse, fine;
  Block(const BoxRows& rows, std::size_t first, std::size_t n, std::size_t coarse_apart, std::size_t fine_apart)
      : count(n - first < energy_block ? n - first : energy_block),
        coarse{rows.coarse_top + first, rows.coarse_bottom + first, coarse_apart},
        fine{rows.fine_top + first, rows.fine_bottom + first, fine_apart} {}

  // Energy and noise, -1 and 0 where a mean is missing. How many are there.
  int find(float* __restrict energy, float* __restrict noise) const {
    const Boxes c = coarse;
    const Boxes f = fine;
    int held = 0;
    for (std::size_t x = 0; x < count; ++x) {
      const float here = c.along_x(x) * c.along_x(x) + c.along_y(x) * c.along_y(x);
      const float variance = f.noise(x);
      const int ok = static_cast<int>(here <= largest_float) & static_cast<int>(variance <= largest_float);
      energy[x] = ok != 0 ? here : -1.0F;
      noise[x] = ok != 0 ? variance : 0.0F;
      held += ok;
    }
    return held;
  }
};

Energies energies(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, float* __restrict energy,
                  float* __restrict largest) {
  Energies found{0, 0};
  float noise[energy_block];
  for (std::size_t first = 0; first < n; first += energy_block) {
    const Block block(rows, first, n, coarse, fine);
    float* const e = energy + first;
    float most = -1;
    found.n += static_cast<std::uint32_t>(block.find(e, noise));
    for (std::size_t x = 0; x < block.count; ++x) most = e[x] > most ? e[x] : most;
    largest[first / energy_block] = most;
    found.noise += sum(noise, block.count);
  }
  return found;
}

void add_tensors(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, const float* largest,
                 float least, double noise, Tensor* fine_sum, Tensor* coarse_sum) {
  Tensor of_fine = *fine_sum;
  Tensor of_coarse = *coarse_sum;
  float energy[energy_block];
  float unused[energy_block];
  std::uint8_t places[energy_block];
  float fine_products[3][energy_block];
  float coarse_products[3][energy_block];
  for (std::size_t first = 0; first < n; first += energy_block) {
    if (!(largest[first / energy_block] >= least)) continue;
    const Block block(rows, first, n, coarse, fine);
    block.find(energy, unused);
    std::size_t found = 0;
    for (std::size_t x = 0; x < block.count; ++x) {
      places[found] = static_cast<std::uint8_t>(x);
      found += energy[x] >= least ? 1 : 0;
    }
    const Boxes f = block.fine;
    for (std::size_t x = 0; x < block.count; ++x) {
      fine_products[0][x] = (f.b(x) - f.a(x)) * (f.d(x) - f.c(x));
      fine_products[1][x] = f.along_x(x) * f.along_y(x);
      fine_products[2][x] = (f.c(x) - f.a(x)) * (f.d(x) - f.b(x));
    }
    const Boxes c = block.coarse;
    for (std::size_t x = 0; x < block.count; ++x) {
      coarse_products[0][x] = c.along_x(x) * c.along_x(x);
      coarse_products[1][x] = c.along_x(x) * c.along_y(x);
      coarse_products[2][x] = c.along_y(x) * c.along_y(x);
    }
    for (std::size_t i = 0; i < found; ++i) {
      const std::size_t x = places[i];
      of_fine.xx += static_cast<double>(fine_products[0][x]);
      of_fine.xy += static_cast<double>(fine_products[1][x]);
      of_fine.yy += static_cast<double>(fine_products[2][x]);
      of_coarse.xx += static_cast<double>(coarse_products[0][x]) - noise;
      of_coarse.xy += static_cast<double>(coarse_products[1][x]);
      of_coarse.yy += static_cast<double>(coarse_products[2][x]) - noise;
    }
  }
  *fine_sum = of_fine;
  *coarse_sum = of_coarse;
}

}  // namespace

namespace PYICG_KERNEL_SET {
const BoxKernels boxes{fill, double_sums, double_counts, means, energies, add_tensors};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
