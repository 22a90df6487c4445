// The kernels of each instruction set, by name.
#include "band_smoother.hpp"
#include "block_rows.hpp"
#include "box_means.hpp"
#include "calibrate_rows.hpp"
#include "distance_lines.hpp"
#include "edge_rows.hpp"
#include "gaussian_rows.hpp"
#include "lane_count.hpp"
#include "level_rows.hpp"
#include "mode_bins.hpp"
#include "path_rows.hpp"
#include "pixel_bits.hpp"
#include "rank_rows.hpp"
#include "region_rows.hpp"
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
extern const LevelKernels levels;
extern const ModeKernels mode;
extern const PathKernels path;
extern const ProfileKernels profile;
extern const RankKernels ranks;
extern const RegionKernels regions;
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
extern const LevelKernels levels;
extern const ModeKernels mode;
extern const PathKernels path;
extern const ProfileKernels profile;
extern const RankKernels ranks;
extern const RegionKernels regions;
extern const SmootherKernels smoother;
extern const SplineKernels spline;
extern const TileKernels tiles;
extern const std::size_t register_bytes;
}  // namespace avx2
#else
namespace avx2 = baseline;  // not built here, and never asked for
#endif

#ifdef PYICG_AVX512
namespace avx512 {
extern const DistanceKernels distance;
extern const GaussianKernels gaussian;
extern const std::size_t register_bytes;
}  // namespace avx512
#else
namespace avx512 = avx2;
#endif

namespace {

// Most kernels gain nothing from AVX-512: those of AVX2 run there.
template <const auto& narrow, const auto& wide, const auto& widest = wide>
const auto& of(InstructionSet set) {
  // NOLINTBEGIN(readability-redundant-parentheses): there are none
  if (set == InstructionSet::avx512) return widest;
  return set == InstructionSet::avx2 ? wide : narrow;
  // NOLINTEND(readability-redundant-parentheses)
}

}  // namespace

const BitKernels& bit_kernels(InstructionSet set) { return of<baseline::bits, avx2::bits>(set); }

const BlockKernels& block_kernels(InstructionSet set) { return of<baseline::blocks, avx2::blocks>(set); }

const BoxKernels& box_kernels(InstructionSet set) { return of<baseline::boxes, avx2::boxes>(set); }

const CalibrationKernels& calibration_kernels(InstructionSet set) {
  return of<baseline::calibration, avx2::calibration>(set);
}

const DistanceKernels& distance_kernels(InstructionSet set) {
  return of<baseline::distance, avx2::distance, avx512::distance>(set);
}

const EdgeKernels& edge_kernels(InstructionSet set) { return of<baseline::edge, avx2::edge>(set); }

const GaussianKernels& gaussian_kernels(InstructionSet set) {
  return of<baseline::gaussian, avx2::gaussian, avx512::gaussian>(set);
}

const LevelKernels& level_kernels(InstructionSet set) { return of<baseline::levels, avx2::levels>(set); }

const ModeKernels& mode_kernels(InstructionSet set) { return of<baseline::mode, avx2::mode>(set); }

const PathKernels& path_kernels(InstructionSet set) { return of<baseline::path, avx2::path>(set); }

const ProfileKernels& profile_kernels(InstructionSet set) { return of<baseline::profile, avx2::profile>(set); }

const RankKernels& rank_kernels(InstructionSet set) { return of<baseline::ranks, avx2::ranks>(set); }

const RegionKernels& region_kernels(InstructionSet set) { return of<baseline::regions, avx2::regions>(set); }

const SmootherKernels& smoother_kernels(InstructionSet set) { return of<baseline::smoother, avx2::smoother>(set); }

const SplineKernels& spline_kernels(InstructionSet set) { return of<baseline::spline, avx2::spline>(set); }

const TileKernels& tile_kernels(InstructionSet set) { return of<baseline::tiles, avx2::tiles>(set); }

std::size_t register_bytes(InstructionSet set) {
  return of<baseline::register_bytes, avx2::register_bytes, avx512::register_bytes>(set);
}

}  // namespace pyicg::kernels
