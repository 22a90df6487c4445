#include "pyicg/distance.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using namespace pyicg;
using Shape = std::array<std::size_t, 3>;
using Spacing = std::array<double, 3>;

namespace {

std::vector<std::uint8_t> random_mask(const Shape& shape, double share, scene::Normal& random) {
  std::vector<std::uint8_t> mask(shape[0] * shape[1] * shape[2]);
  for (auto& v : mask) v = random.uniform() < share ? static_cast<std::uint8_t>(1 + 254 * random.uniform()) : 0;
  mask[static_cast<std::size_t>(static_cast<double>(mask.size()) * random.uniform())] = 0;
  return mask;
}

std::vector<float> brute_force(const std::vector<std::uint8_t>& mask, const Shape& shape, const Spacing& spacing) {
  const auto [depth, height, width] = shape;
  const auto axis = [](std::size_t a, std::size_t b, double step) {
    const double d = (static_cast<double>(a) - static_cast<double>(b)) * step;
    return d * d;
  };
  std::vector<float> out(mask.size());
  for (std::size_t i = 0; i < mask.size(); ++i) {
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < mask.size(); ++k) {
      if (mask[k] != 0) continue;
      best = std::min(best, axis(i / (height * width), k / (height * width), spacing[0]) +
                                axis(i / width % height, k / width % height, spacing[1]) +
                                axis(i % width, k % width, spacing[2]));
    }
    out[i] = static_cast<float>(std::sqrt(best));
  }
  return out;
}

void against_brute_force() {
  scene::Normal random(1);
  const std::vector<Shape> shapes{{1, 1, 1},   {1, 1, 60}, {1, 60, 1}, {9, 1, 1},
                                  {1, 17, 23}, {1, 2, 40}, {7, 9, 11}, {5, 1, 12}};
  const std::vector<Spacing> spacings{{1, 1, 1}, {2.5, 0.31, 0.07}, {0.05, 3, 1.1}};
  for (const Shape& shape : shapes) {
    for (const Spacing& spacing : spacings) {
      for (const double share : {0.3, 0.9, 1.0}) {  // 1.0: a single zero voxel
        const auto mask = random_mask(shape, share, random);
        const auto expected = brute_force(mask, shape, spacing);
        std::vector<float> one(mask.size(), -1);
        std::vector<float> four(mask.size(), -2);
        distance_transform(mask, shape, spacing, one, 1);
        distance_transform(mask, shape, spacing, four, 4);
        for (std::size_t i = 0; i < mask.size(); ++i) {
          const auto e = static_cast<double>(expected[i]);
          check::near(static_cast<double>(one[i]), e, 2e-7 * e);
        }
        check::is_true(one == four, "the same bits from four threads");
      }
    }
  }
}

void refusals() {
  std::vector<float> out(12);
  std::vector<std::uint8_t> mask(12, 1);
  check::throws(ErrorKind::input, [&] { distance_transform(mask, {1, 3, 4}, {1, 1, 1}, out); });
  mask[5] = 0;
  check::throws(ErrorKind::input, [&] { distance_transform(mask, {1, 3, 5}, {1, 1, 1}, out); });
  for (const double bad :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    check::throws(ErrorKind::unit, [&] { distance_transform(mask, {1, 3, 4}, {1, bad, 1}, out); });
  }
  // Nothing is zero where nothing is.
  check::throws(ErrorKind::input, [&] { distance_transform({}, {0, 3, 4}, {1, 1, 1}, {}); });
}

void planes() {
  const std::vector<Point> surface{{0, 0, 0}, {2, 1, -1}, {5, 7, 9}};
  std::vector<double> out(3);
  plane_distances(surface, {3, 0, 0}, {1, 0, 0}, out);
  check::near(out[0], 3, 0);
  check::near(out[1], 1, 0);
  check::near(out[2], -2, 0);  // beyond the plane
  plane_distances(surface, {0, 0, 10}, {0, 0.6, 0.8}, out);
  check::near(out[1], 8 - 0.6 + 0.8, 1e-12);
  check::throws(ErrorKind::input, [&] { plane_distances(surface, {}, {1, 0, 0}, std::span(out).first(2)); });
}

}  // namespace

int main() {
  against_brute_force();
  refusals();
  planes();
  return check::result();
}
