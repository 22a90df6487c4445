// Values sorted into bins, and the weights of a Gaussian.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::int32_t mode_bins = 4096;
inline constexpr std::int32_t beside_bins = 8;  // bins behind those, in turn, of values that lie beside

// Equal bins from position 0 to mode_bins of ((v - origin) / unit + shift) * scale.
struct BinScale {
  double origin;
  double unit;
  double shift;
  double scale;
};

struct ModeKernels {
  void (*bins)(const float* values, std::size_t n, const BinScale& scale, std::int32_t* bins);

  // exp(-((v - level) / h)^2 / 2), with the same bits on every machine; 0 where that is below 1e-300. `weights` may be
  // the values.
  void (*weigh)(const double* values, std::size_t n, double level, double h, double* weights);
};

const ModeKernels& mode_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
