// Means over boxes of 2 x 2, 4 x 4 and 8 x 8 pixels, row by row, and the energy of their gradients: see sharpness.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::size_t energy_block = 64;  // pixels whose highest energy is told
inline constexpr std::size_t places_at_once = 8;

// Rows of means of boxes, from the left box of the leftmost four on. Read up to the next multiple of places_at_once.
struct BoxRows {
  const float* coarse_top;
  const float* coarse_bottom;
  const float* fine_top;
  const float* fine_bottom;
};

struct Energies {
  double noise;     // sum over the places that count
  std::uint32_t n;  // how many they are
};

// Sums of products of gradients, free of noise on average.
struct Tensor {
  double xx = 0, xy = 0, yy = 0;
};

struct BoxKernels {
  // One row of values and of how many there are: pixels marked in `left_out` are 0 and none, those in glare NaN.
  void (*fill)(const float* data, const std::uint8_t* mask, const std::uint8_t* glare, std::uint8_t left_out,
               std::size_t n, float* sums, std::uint8_t* counts);

  // Sums over boxes of twice the size from those `step` rows and columns apart, for n boxes; `top` and `bottom` are
  // read up to n + step. Opposite corners are added first: a flipped or turned frame gives the same bits.
  void (*double_sums)(const float* top, const float* bottom, std::size_t n, std::size_t step, float* out);
  void (*double_counts)(const std::uint8_t* top, const std::uint8_t* bottom, std::size_t n, std::size_t step,
                        std::uint8_t* out);

  // NaN where less than half of a box of `pixels` is valid.
  void (*means)(const float* sums, const std::uint8_t* counts, std::size_t n, std::size_t pixels, float* out);
  // The same where all boxes are whole; `pixels` is a power of two, so that no division is needed.
  void (*full_means)(const float* sums, std::size_t n, std::size_t pixels, float* out);

  // Energy of the gradient between coarse boxes at n places, -1 where a mean is missing, and the largest of each
  // energy_block. `energy` is written up to the next multiple of places_at_once. `coarse` and `fine` are how far the
  // boxes of either size lie apart.
  Energies (*energies)(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, float* energy,
                       float* largest);

  // Adds up, place by place, gradients where that energy is at least `least`; `largest` is that of each block. Between
  // fine boxes those are multiplied that share no box (in xy the noise of neighbours cancels); between coarse ones
  // there is little noise: `noise` is taken off.
  void (*add_tensors)(const BoxRows& rows, std::size_t n, std::size_t coarse, std::size_t fine, const float* largest,
                      float least, double noise, Tensor* fine_sum, Tensor* coarse_sum);
};

const BoxKernels& box_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
