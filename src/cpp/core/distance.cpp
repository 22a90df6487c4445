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
  const auto [depth, height, width] = shape;
  const std::size_t size = depth * height * width;
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
  std::vector<double> squared(size);
  std::transform(mask.begin(), mask.end(), squared.begin(),
                 [](std::uint8_t m) { return m != 0 ? detail::unreached : 0.0; });
  detail::squared_distances(squared, shape, spacing, threads);
  std::transform(squared.begin(), squared.end(), out.begin(),
                 [](double s) { return static_cast<float>(std::sqrt(s)); });
}

void plane_distances(std::span<const Point> surface, const Point& point, const Point& normal, std::span<double> out) {
  if (surface.size() != out.size()) throw Error(ErrorKind::input, "one distance per surface point is needed");
  std::transform(surface.begin(), surface.end(), out.begin(), [&](const Point& p) {
    return (point[0] - p[0]) * normal[0] + (point[1] - p[1]) * normal[1] + (point[2] - p[2]) * normal[2];
  });
}

}  // namespace pyicg
