// Room 4: distances in millimetres from the tumour's surface to the resection plane or surface.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pyicg {

// Exact Euclidean distance transform of a volume (depth x height x width, row-major; 2-D: depth 1): for every non-zero
// voxel the distance from its centre to the centre of the nearest zero voxel, 0 for zero voxels. Separable lower
// envelopes of parabolas (Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012) 415), squared distances in double.
// Bits do not depend on `threads`. Throws Error(input) when no voxel is zero or a spacing is not positive.
void distance_transform(std::span<const std::uint8_t> mask, std::array<std::size_t, 3> shape,
                        std::array<double, 3> spacing, std::span<float> out, unsigned threads = 1);

using Point = std::array<double, 3>;  // (z, y, x)

// Signed distance (p - point) . normal of every surface point, measured on the tumour's side: positive before the
// plane, negative beyond it. The normal points away from the tumour side and has length 1.
void plane_distances(std::span<const Point> surface, const Point& point, const Point& normal, std::span<double> out);

}  // namespace pyicg
