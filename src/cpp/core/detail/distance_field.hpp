// Squared Euclidean distances to the nearest marked pixel of an image or volume: what the annulus around a lesion and
// the distance room share.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace pyicg::detail {

inline constexpr double unreached = std::numeric_limits<double>::infinity();

// In: 0 at marked voxels, `unreached` elsewhere; out: squared distance from centre to centre, `unreached` where nothing
// is marked. Row-major depth x height x width. Separable lower envelopes of parabolas (Felzenszwalb & Huttenlocher,
// Theory of Computing 8 (2012) 415). Bits do not depend on `threads`.
void squared_distances(std::span<double> squared, std::array<std::size_t, 3> shape, std::array<double, 3> spacing,
                       unsigned threads);

}  // namespace pyicg::detail
