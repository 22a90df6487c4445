#include "distance_field.hpp"

#include <vector>

#include "parallel.hpp"

namespace pyicg::detail {
namespace {

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

void squared_distances(std::span<double> squared, std::array<std::size_t, 3> shape, std::array<double, 3> spacing,
                       unsigned threads) {
  const auto [depth, height, width] = shape;
  const std::size_t plane = height * width;

  parallel_ranges(depth * height, threads, [&](std::size_t first, std::size_t last) {  // along x
    Envelope envelope(width);
    for (std::size_t i = first; i < last; ++i) envelope.transform(squared.data() + i * width, width, 1, spacing[2]);
  });
  if (height > 1) {
    parallel_ranges(depth * width, threads, [&](std::size_t first, std::size_t last) {  // along y
      Envelope envelope(height);
      for (std::size_t i = first; i < last; ++i) {
        envelope.transform(squared.data() + i / width * plane + i % width, height, width, spacing[1]);
      }
    });
  }
  if (depth > 1) {
    parallel_ranges(plane, threads, [&](std::size_t first, std::size_t last) {  // along z
      Envelope envelope(depth);
      for (std::size_t i = first; i < last; ++i) envelope.transform(squared.data() + i, depth, plane, spacing[0]);
    });
  }
}

}  // namespace pyicg::detail
