#include "pyicg/distance.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "detail/parallel.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr double unreached = std::numeric_limits<double>::infinity();

// Lower envelope of the parabolas f[q] + (s (p - q))^2 along one line.
class Envelope {
 public:
  explicit Envelope(std::size_t length) : site_(length), from_(length + 1), height_(length) {}

  void transform(double* line, std::size_t length, std::size_t stride, double spacing) {
    for (std::size_t i = 0; i < length; ++i) height_[i] = line[i * stride];
    const double s2 = spacing * spacing;
    std::size_t count = 0;
    for (std::size_t q = 0; q < length; ++q) {
      if (height_[q] == unreached) continue;
      double from = -unreached;
      while (count > 0) {
        from = crossing(site_[count - 1], q, s2);
        if (from > from_[count - 1]) break;
        --count;
        from = -unreached;
      }
      site_[count] = q;
      from_[count++] = from;
    }
    if (count == 0) return;  // nothing to be near to on this line: it stays unreached
    from_[count] = unreached;
    std::size_t k = 0;
    for (std::size_t p = 0; p < length; ++p) {
      while (from_[k + 1] < static_cast<double>(p)) ++k;
      const double d = static_cast<double>(p) - static_cast<double>(site_[k]);
      line[p * stride] = height_[site_[k]] + s2 * (d * d);
    }
  }

 private:
  [[nodiscard]] double crossing(std::size_t a, std::size_t b, double s2) const {
    const auto pa = static_cast<double>(a);
    const auto pb = static_cast<double>(b);
    return 0.5 * ((height_[b] - height_[a]) / (s2 * (pb - pa)) + (pb + pa));
  }

  std::vector<std::size_t> site_;
  std::vector<double> from_;
  std::vector<double> height_;
};

}  // namespace

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
  std::transform(mask.begin(), mask.end(), squared.begin(), [](std::uint8_t m) { return m != 0 ? unreached : 0.0; });
  const std::size_t plane = height * width;

  detail::parallel_ranges(depth * height, threads, [&](std::size_t first, std::size_t last) {  // along x
    Envelope envelope(width);
    for (std::size_t i = first; i < last; ++i) envelope.transform(squared.data() + i * width, width, 1, spacing[2]);
  });
  if (height > 1) {
    detail::parallel_ranges(depth * width, threads, [&](std::size_t first, std::size_t last) {  // along y
      Envelope envelope(height);
      for (std::size_t i = first; i < last; ++i) {
        envelope.transform(squared.data() + i / width * plane + i % width, height, width, spacing[1]);
      }
    });
  }
  if (depth > 1) {
    detail::parallel_ranges(plane, threads, [&](std::size_t first, std::size_t last) {  // along z
      Envelope envelope(depth);
      for (std::size_t i = first; i < last; ++i) envelope.transform(squared.data() + i, depth, plane, spacing[0]);
    });
  }
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
