#include "distance_lines.hpp"

namespace pyicg::kernels {

extern const DistanceKernels distance_baseline;
#ifdef PYICG_AVX2
extern const DistanceKernels distance_avx2;
#endif

bool runs(InstructionSet set) {
#ifdef PYICG_AVX2
  if (set == InstructionSet::avx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return set == InstructionSet::baseline;
}

const DistanceKernels& distance_kernels([[maybe_unused]] InstructionSet set) {
#ifdef PYICG_AVX2
  if (set == InstructionSet::avx2) return distance_avx2;
#endif
  return distance_baseline;
}

const DistanceKernels& distance_kernels() {
  return distance_kernels(runs(InstructionSet::avx2) ? InstructionSet::avx2 : InstructionSet::baseline);
}

}  // namespace pyicg::kernels
