// Periodic smoothing with the third difference, for many stiffnesses at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

// The penalty joins samples up to three apart around the circle. Folded (0, n - 1, 1, n - 2, ...) neighbours on the
// circle lie at most seven apart, so that the matrix is a plain band.
inline constexpr std::size_t smoother_band = 7;
inline constexpr std::size_t smoother_lanes = 12;  // stiffnesses that are worked on together

// Folded place of sample k.
constexpr std::size_t folded(std::size_t k, std::size_t n) { return 2 * k < n ? 2 * k : 2 * (n - 1 - k) + 1; }

struct SmootherInput {
  std::size_t n;          // samples, sixteen or more
  const double* weights;  // of the samples
  const double* pulls;    // weight times value
};

// What one stiffness gives stands beside that of the others: number s of `lanes` is at [... * lanes + s].
struct SmootherOutput {
  double* factors;          // (smoother_band + 1) n: LDL^T of diag(weights) + stiffness D^T D, folded
  double* solution;         // n, folded
  double* mantissas;        // one: the determinant is its product with a power of two
  std::int64_t* exponents;  // one
};

struct SmootherKernels {
  // For smoother_lanes stiffnesses.
  void (*solve)(const SmootherInput& in, const double* stiffness, const SmootherOutput& out);
  // For one.
  void (*solve_one)(const SmootherInput& in, const double* stiffness, const SmootherOutput& out);
  // Diagonal of the inverse of the matrix, and its sums along rows, from the factors of smoother_lanes stiffnesses;
  // both folded. `inverse` has room for as many numbers as the factors.
  void (*invert)(std::size_t n, const double* factors, double* inverse, double* diagonal, double* sums);
};

const SmootherKernels& smoother_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
