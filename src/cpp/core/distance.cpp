#include "pyicg/distance.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "detail/distance_field.hpp"
#include "pyicg/error.hpp"

namespace pyicg {

void distance_transform(std::span<const std::uint8_t> mask, std::array<std::size_t, 3> shape,
                        std::array<double, 3> spacing, std::span<float> out, unsigned threads) {
  const std::size_t size = shape[0] * shape[1] * shape[2];
  if (mask.size() != size || out.size() != size)
    throw Error(ErrorKind::input, "mask and output must have the shape told");
  for (const double s : spacing) {
    if (!(s > 0) || !std::isfinite(s)) {
      throw Error(ErrorKind::unit, "spacing must be positive and finite, found " + std::to_string(s));
    }
  }
  if (std::find(mask.begin(), mask.end(), std::uint8_t{0}) == mask.end()) {
    throw Error(ErrorKind::input,
                "no pixel of the mask is False, so there is nothing to measure the distance to; pass the mask whose "
                "True pixels are to be measured");
  }
  if (shape[0] == 1) {  // one plane: counting along its rows is what costs least
    std::swap(shape[0], shape[1]);
    std::swap(spacing[0], spacing[1]);
  }
  const detail::DistanceField field(shape, spacing, threads);
  field.count(mask, out);
  field.distances(mask, out);
}

void plane_distances(std::span<const Point> surface, const Point& point, const Point& normal, std::span<double> out) {
  if (surface.size() != out.size()) throw Error(ErrorKind::input, "one distance per surface point is needed");
  std::transform(surface.begin(), surface.end(), out.begin(), [&](const Point& p) {
    return (point[0] - p[0]) * normal[0] + (point[1] - p[1]) * normal[1] + (point[2] - p[2]) * normal[2];
  });
}

}  // namespace pyicg
