// Room 4: distances in millimetres from the tumour's surface to the resection plane or surface.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "pyicg/runner.hpp"

namespace pyicg {

// Exact Euclidean distance transform of a volume (depth x height x width, row-major; 2-D: depth 1): for every non-zero
// voxel the distance from its centre to the centre of the nearest zero voxel, 0 for zero voxels. Counts along the first
// axis, then separable lower envelopes of parabolas (Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012) 415).
// Squared distances are integers where the spacings have a common unit, else double. Beside `out` it needs memory for a
// plane or two per thread. Bits do not depend on `threads`. Throws Error(input) when no voxel is zero or the depth
// exceeds 2^24, Error(unit) when a spacing is not positive.
void distance_transform(std::span<const std::uint8_t> mask, std::array<std::size_t, 3> shape,
                        std::array<double, 3> spacing, std::span<float> out, const Threads& threads = {});

// The same transform, the same bits, for a volume that comes in slabs of whole planes: count_slab on each from the
// first to the last, then finish_slab on each from the last to the first. `out` is the slab's part of the output and
// carries numbers from the one to the other; `since` is as large as a plane, holds infinity before the first slab of
// either direction and is carried along. It is the caller who knows whether any voxel was zero: if none was, the
// distances are meaningless.
void count_slab(std::span<const std::uint8_t> mask, std::span<float> since, std::span<float> out,
                const Threads& threads = {});
void finish_slab(std::span<const std::uint8_t> mask, std::array<std::size_t, 3> shape, std::array<double, 3> spacing,
                 std::span<float> since, std::span<float> out, const Threads& threads = {});

using Point = std::array<double, 3>;  // (z, y, x)

// Signed distance (p - point) . normal of every surface point, measured on the tumour's side: positive before the
// plane, negative beyond it. The normal points away from the tumour side and has length 1.
void plane_distances(std::span<const Point> surface, const Point& point, const Point& normal, std::span<double> out);

}  // namespace pyicg
