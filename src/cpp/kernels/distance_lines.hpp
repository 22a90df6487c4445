// Kernels of the Euclidean distance transform, which work on lines of numbers and know nothing of images. The same
// source is compiled for each instruction set; all of them give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

// Pixels that share one search for their nearest site: buffers that a kernel writes need room up to a full block.
inline constexpr std::size_t distance_block = 16;

// A count of pixels to a zero where none has been seen yet.
inline constexpr float no_zero_yet = std::numeric_limits<float>::infinity();

// A squared distance where nothing is near: larger than any that occurs, and a parabola may still be added to it.
template <class T>
inline constexpr T far_away = std::numeric_limits<T>::infinity();
template <>
inline constexpr std::int32_t far_away<std::int32_t> = std::int32_t{1} << 30;

template <class T>
struct EnvelopeScratch {
  std::int32_t* nearest;  // room for one number a block and one more
  T* place;               // room for the line and two blocks
  T* height;              // the same
};

// What one line needs, for squared distances in T: std::int32_t (exact multiples of one unit) or double.
template <class T>
struct LineKernels {
  // squared[i] = weight * counts[i]^2; far away where no zero has been seen.
  void (*square)(const float* counts, std::size_t n, T weight, T* squared);

  // out[i] = min over q in [-1, n] of height[q] + parabola[i - q], for i in [0, n). `parabola` points to the middle
  // of a table of weight * d^2 that reaches n + distance_block to either side. `height` may be read, and `out` be
  // written, up to a block further.
  void (*envelope)(const T* height, std::size_t n, const T* parabola, const EnvelopeScratch<T>& scratch, T* out);

  // Turns a square of distance_block by distance_block numbers; rows of `from` become columns of `to`.
  void (*turn)(const T* from, std::size_t from_stride, T* to, std::size_t to_stride);

  // out = unit * sqrt(squared), rounded once to float, for `rows` rows of n numbers.
  void (*root)(const T* squared, std::size_t squared_stride, std::size_t rows, std::size_t n, double unit, float* out,
               std::size_t out_stride);
};

struct DistanceKernels {
  // Counts the pixels since the last zero down `rows` rows of `n` columns, `stride` apart. since[x] is the count above
  // the first row, and afterwards the one of the last row. Nothing is written where the mask is zero.
  void (*count_down)(const std::uint8_t* mask, std::size_t rows, std::size_t stride, std::size_t n, float* since,
                     float* counts);

  // The same from the last row up: counts[i] becomes the smaller of the two.
  void (*count_up)(const std::uint8_t* mask, std::size_t rows, std::size_t stride, std::size_t n, float* since,
                   float* counts);

  LineKernels<std::int32_t> whole;
  LineKernels<double> real;
};

const DistanceKernels& distance_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
