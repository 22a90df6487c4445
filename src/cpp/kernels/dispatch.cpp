// The kernels of each instruction set, by name.
#include "calibrate_rows.hpp"
#include "distance_lines.hpp"
#include "gaussian_rows.hpp"
#include "lane_count.hpp"
#include "pixel_bits.hpp"

namespace pyicg::kernels {

namespace baseline {
extern const BitKernels bits;
extern const CalibrationKernels calibration;
extern const DistanceKernels distance;
extern const GaussianKernels gaussian;
extern const std::size_t register_bytes;
}  // namespace baseline

#ifdef PYICG_AVX2
namespace avx2 {
extern const BitKernels bits;
extern const CalibrationKernels calibration;
extern const DistanceKernels distance;
extern const GaussianKernels gaussian;
extern const std::size_t register_bytes;
}  // namespace avx2
#else
namespace avx2 = baseline;  // not built here, and never asked for
#endif

namespace {

template <class Kernels>
const Kernels& of(InstructionSet set, const Kernels& baseline, const Kernels& avx2) {
  return set == InstructionSet::avx2 ? avx2 : baseline;
}

}  // namespace

const BitKernels& bit_kernels(InstructionSet set) { return of(set, baseline::bits, avx2::bits); }

const CalibrationKernels& calibration_kernels(InstructionSet set) {
  return of(set, baseline::calibration, avx2::calibration);
}

const DistanceKernels& distance_kernels(InstructionSet set) { return of(set, baseline::distance, avx2::distance); }

const GaussianKernels& gaussian_kernels(InstructionSet set) { return of(set, baseline::gaussian, avx2::gaussian); }

std::size_t register_bytes(InstructionSet set) { return of(set, baseline::register_bytes, avx2::register_bytes); }

}  // namespace pyicg::kernels
