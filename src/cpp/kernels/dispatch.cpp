// The kernels of each instruction set, by name.
#include "band_smoother.hpp"
#include "block_rows.hpp"
#include "box_means.hpp"
#include "calibrate_rows.hpp"
#include "distance_lines.hpp"
#include "edge_rows.hpp"
#include "gaussian_rows.hpp"
#include "lane_count.hpp"
#include "mode_bins.hpp"
#include "path_rows.hpp"
#include "pixel_bits.hpp"
#include "rank_rows.hpp"
#include "rim_profile.hpp"
#include "spline_lines.hpp"
#include "tile_rows.hpp"

namespace pyicg::kernels {

namespace baseline {
extern const BitKernels bits;
extern const BlockKernels blocks;
extern const BoxKernels boxes;
extern const CalibrationKernels calibration;
extern const DistanceKernels distance;
extern const EdgeKernels edge;
extern const GaussianKernels gaussian;
extern const ModeKernels mode;
extern const PathKernels path;
extern const ProfileKernels profile;
extern const RankKernels ranks;
extern const SmootherKernels smoother;
extern const SplineKernels spline;
extern const TileKernels tiles;
extern const std::size_t register_bytes;
}  // namespace baseline

#ifdef PYICG_AVX2
namespace avx2 {
extern const BitKernels bits;
extern const BlockKernels blocks;
extern const BoxKernels boxes;
extern const CalibrationKernels calibration;
extern const DistanceKernels distance;
extern const EdgeKernels edge;
extern const GaussianKernels gaussian;
extern const ModeKernels mode;
extern const PathKernels path;
extern const ProfileKernels profile;
extern const RankKernels ranks;
extern const SmootherKernels smoother;
extern const SplineKernels spline;
extern const TileKernels tiles;
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

const BlockKernels& block_kernels(InstructionSet set) { return of(set, baseline::blocks, avx2::blocks); }

const BoxKernels& box_kernels(InstructionSet set) { return of(set, baseline::boxes, avx2::boxes); }

const CalibrationKernels& calibration_kernels(InstructionSet set) {
  return of(set, baseline::calibration, avx2::calibration);
}

const DistanceKernels& distance_kernels(InstructionSet set) { return of(set, baseline::distance, avx2::distance); }

const EdgeKernels& edge_kernels(InstructionSet set) { return of(set, baseline::edge, avx2::edge); }

const GaussianKernels& gaussian_kernels(InstructionSet set) { return of(set, baseline::gaussian, avx2::gaussian); }

const ModeKernels& mode_kernels(InstructionSet set) { return of(set, baseline::mode, avx2::mode); }

const PathKernels& path_kernels(InstructionSet set) { return of(set, baseline::path, avx2::path); }

const ProfileKernels& profile_kernels(InstructionSet set) { return of(set, baseline::profile, avx2::profile); }

const RankKernels& rank_kernels(InstructionSet set) { return of(set, baseline::ranks, avx2::ranks); }

const SmootherKernels& smoother_kernels(InstructionSet set) { return of(set, baseline::smoother, avx2::smoother); }

const SplineKernels& spline_kernels(InstructionSet set) { return of(set, baseline::spline, avx2::spline); }

const TileKernels& tile_kernels(InstructionSet set) { return of(set, baseline::tiles, avx2::tiles); }

std::size_t register_bytes(InstructionSet set) { return of(set, baseline::register_bytes, avx2::register_bytes); }

}  // namespace pyicg::kernels
