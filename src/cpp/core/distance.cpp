#include "pyicg/distance.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "detail/distance_field.hpp"
#include "pyicg/error.hpp"

namespace pyicg {

namespace {

// Counts of planes are kept in float32, which holds integers up to here.
constexpr std::size_t most_planes = std::size_t{1} << 24;

void check(const std::array<std::size_t, 3>& shape, const std::array<double, 3>& spacing) {
  for (const double s : spacing) {
    if (!(s > 0) || !std::isfinite(s)) {
      throw Error(ErrorKind::unit, "spacing must be positive and finite, found " + std::to_string(s));
    }
  }
  if (shape[0] > most_planes) {
    throw Error(ErrorKind::input, "the first axis may have up to " + std::to_string(most_planes) + " pixels, found " +
                                      std::to_string(shape[0]) + "; turn the mask");
  }
}

}  // namespace

void distance_transform(std::span<const std::uint8_t> mask, std::array<std::size_t, 3> shape,
                        std::array<double, 3> spacing, std::span<float> out, const Threads& threads) {
  const std::size_t size = shape[0] * shape[1] * shape[2];
  if (mask.size() != size || out.size() != size)
    throw Error(ErrorKind::input, "mask and output must have the shape told");
  if (shape[0] == 1) {  // one plane: counting down its columns is what costs least
    std::swap(shape[0], shape[1]);
    std::swap(spacing[0], spacing[1]);
  }
  check(shape, spacing);
  if (std::find(mask.begin(), mask.end(), std::uint8_t{0}) == mask.end()) {
    throw Error(ErrorKind::input,
                "no pixel of the mask is False, so there is nothing to measure the distance to; pass the mask whose "
                "True pixels are to be measured");
  }
  const detail::DistanceField field(shape, spacing, threads);
  field.count(mask, out);
  field.distances(mask, out);
}

void count_slab(std::span<const std::uint8_t> mask, std::span<float> since, std::span<float> out,
                const Threads& threads) {
  if (since.empty() || mask.size() % since.size() != 0 || out.size() != mask.size()) {
    throw Error(ErrorKind::input, "mask and output must be whole planes");
  }
  std::fill(out.begin(), out.end(), 0.0F);
  detail::count_down(mask, since, out, threads);
}

void finish_slab(std::span<const std::uint8_t> mask, std::array<std::size_t, 3> shape, std::array<double, 3> spacing,
                 std::span<float> since, std::span<float> out, const Threads& threads) {
  if (since.empty() || since.size() != shape[1] * shape[2] || mask.size() % since.size() != 0 ||
      out.size() != mask.size()) {
    throw Error(ErrorKind::input, "mask and output must be whole planes of the shape told");
  }
  check(shape, spacing);
  detail::count_up(mask, since, out, threads);
  detail::DistanceField(shape, spacing, threads).distances(mask, out);
}

void plane_distances(std::span<const Point> surface, const Point& point, const Point& normal, std::span<double> out) {
  if (surface.size() != out.size()) throw Error(ErrorKind::input, "one distance per surface point is needed");
  std::transform(surface.begin(), surface.end(), out.begin(), [&](const Point& p) {
    return (point[0] - p[0]) * normal[0] + (point[1] - p[1]) * normal[1] + (point[2] - p[2]) * normal[2];
  });
}

}  // namespace pyicg
