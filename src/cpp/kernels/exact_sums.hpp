// What is added up over the values of a row, with what rounded additions lose kept beside the sums (Knuth's two-sum).
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

struct Sum {
  double total = 0;
  double lost = 0;
};

struct RowSum {
  Sum sum;
  float least;  // infinite for a row of no values, as is `most`
  float most;
};

// Every fourth value has a sum of its own, whatever the registers' width; those that are left over go to the first.
// The four are added in order.
struct SumKernels {
  RowSum (*values)(const float* values, std::size_t n);
  // (v - mean)^2
  Sum (*squares)(const float* values, std::size_t n, double mean);
};

const SumKernels& sum_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
