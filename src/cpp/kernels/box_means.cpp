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

Energies energies(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, float* __restrict energy,
                  float* __restrict largest) {
  Energies found{0, 0};
  float noise[energy_block];
  for (std::size_t first = 0; first < n; first += energy_block) {
    const std::size_t count = n - first < energy_block ? n - first : energy_block;
    const float* const ct = rows.coarse_top + first;
    const float* const cb = rows.coarse_bottom + first;
    const float* const ft = rows.fine_top + first;
    const float* const fb = rows.fine_bottom + first;
    float* const e = energy + first;
    int held = 0;
    float most = -1;
    for (std::size_t x = 0; x < count; ++x) {
      const float along_x = ((ct[x + coarse] + cb[x + coarse]) - (ct[x] + cb[x])) / 2;
      const float along_y = ((cb[x] + cb[x + coarse]) - (ct[x] + ct[x + coarse])) / 2;
      const float here = along_x * along_x + along_y * along_y;
      const float cross = (ft[x] + fb[x + fine]) - (ft[x + fine] + fb[x]);
      const float variance = cross * cross / 4;
      const int ok = static_cast<int>(here <= largest_float) & static_cast<int>(variance <= largest_float);
      e[x] = ok != 0 ? here : -1.0F;
      noise[x] = ok != 0 ? variance : 0.0F;
      held += ok;
    }
    for (std::size_t x = 0; x < count; ++x) most = e[x] > most ? e[x] : most;
    largest[first / energy_block] = most;
    found.noise += sum(noise, count);
    found.n += static_cast<std::uint32_t>(held);
  }
  return found;
}

}  // namespace

namespace PYICG_KERNEL_SET {
const BoxKernels boxes{fill, double_sums, double_counts, means, energies};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
