// One bit per pixel of a row: what holds for it. Bit i % 64 of word i / 64; bits past the end are 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct BitKernels {
  // values[i] > level; a NaN is not.
  void (*over)(const float* values, float level, std::size_t n, std::uint64_t* words);
  // Neither infinite nor NaN.
  void (*finite)(const float* values, std::size_t n, std::uint64_t* words);
  // pixels[i] == value
  void (*equal)(const std::uint8_t* pixels, std::uint8_t value, std::size_t n, std::uint64_t* words);
  // (pixels[i] & bits) != 0
  void (*any_of)(const std::uint8_t* pixels, std::uint8_t bits, std::size_t n, std::uint64_t* words);
  // All of a row's pixels, or'ed.
  std::uint8_t (*all_bits)(const std::uint8_t* pixels, std::size_t n);
  // The largest of a row's values that are numbers; minus infinity where none is.
  float (*largest)(const float* values, std::size_t n);
};

inline std::size_t words_of(std::size_t n) { return (n + 63) / 64; }

const BitKernels& bit_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
