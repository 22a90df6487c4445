// The model of a rim's profile along a normal of its boundary, and the sums that fit it.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

// The standard normal distribution at u = (i - normal_middle) / normal_per_unit: density and share, for i from 0 to
// 2 normal_middle. Beyond normal_end, where an edge begins and ends, they are 0, and 0 or 1.
inline constexpr int normal_end = 7;  // 1 - Phi(7) is 1e-12
inline constexpr int normal_per_unit = 256;
inline constexpr int normal_middle = (normal_end + 1) * normal_per_unit;

// A step along a curved line, blurred by a Gaussian of sigma: see blurred_edge.
struct CurvedEdge {
  const double* normal;  // the table above, pair after pair
  const double* falls;   // five
  double sigma;
};

// Places t = step (first + i) along the normal, i from 0 to n - 1.
struct ProfilePlaces {
  double step;
  int first;
  std::size_t n;
};

// Buffers for n places have room for so many more.
inline constexpr std::size_t profile_room = 4;

// Columns of the equations: seven unknowns in the order of Equations::Unknown, and what is left of the signal.
inline constexpr std::size_t profile_columns = 8;

struct RimProfile {
  ProfilePlaces places;
  const double* signals;  // NaN: left out
  CurvedEdge own;         // at t = 0
  CurvedEdge beyond;      // the other boundary
  bool alone;             // there is no other boundary
  double beyond_at;       // its t
  bool inner;             // own is the inner boundary
  double core, rim, outside, tilt;
};

struct ProfileKernels {
  // Level of the edge and its derivatives by the distance and by the sigma, at the distances t - at from its tangent.
  void (*edge)(const CurvedEdge& edge, const ProfilePlaces& places, double at, double* level, double* position,
               double* blur);
  // Sums over the places of the products of all columns, and how many places count. `rows` has room for
  // profile_columns numbers a place.
  std::size_t (*products)(const RimProfile& profile, double* rows, double* sums);
  // out[k] = sum over d in [-m, m] of share * in[(k + d) mod n], for n sets of such products.
  void (*box)(const double* in, std::size_t n, std::size_t m, double share, double* out);
};

const ProfileKernels& profile_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
