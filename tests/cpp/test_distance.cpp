#include "pyicg/distance.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "check.hpp"
#include "core/detail/distance_field.hpp"
#include "kernels/distance_lines.hpp"
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

std::vector<float> with_kernels(const std::vector<std::uint8_t>& mask, const Shape& shape, const Spacing& spacing,
                                const kernels::DistanceKernels& line_kernels) {
  std::vector<float> out(mask.size(), -1);
  const detail::DistanceField field(shape, spacing, 1, line_kernels);
  field.count(mask, out);
  field.distances(mask, out);
  return out;
}

void every_instruction_set() {
  scene::Normal random(2);
  const std::vector<Shape> shapes{{1, 1, 700}, {67, 1, 129}, {5, 83, 61}, {31, 33, 1}, {3, 16, 48}};
  const std::vector<Spacing> spacings{{1, 1, 1}, {2.5, 0.31, 0.07}, {0.7131, 1.9177, 0.0777}};
  for (const auto set : pyicg::instruction_sets()) {
    for (const Shape& shape : shapes) {
      for (const Spacing& spacing : spacings) {
        for (const double share : {0.02, 0.5, 0.99}) {
          const auto mask = random_mask(shape, share, random);
          const auto expected = with_kernels(mask, shape, spacing, kernels::distance_kernels());
          check::is_true(with_kernels(mask, shape, spacing, kernels::distance_kernels(set)) == expected,
                         "the same bits from every instruction set");
        }
      }
    }
  }
  check::is_true(pyicg::runs(pyicg::InstructionSet::baseline), "kernels that run anywhere");
}

void common_units() {
  const Shape shape{10, 20, 30};
  const detail::CommonUnit equal = detail::common_unit(shape, {0.3, 0.3, 0.3});
  check::near(equal.unit, 0.3, 0);
  check::is_true(equal.weight == std::array<std::int32_t, 3>{1, 1, 1}, "equal weights");
  const detail::CommonUnit thirds = detail::common_unit(shape, {2.0, 0.7, 0.3});
  check::near(thirds.unit, 0.1, 1e-16);
  check::is_true(thirds.weight == std::array<std::int32_t, 3>{400, 49, 9}, "squared multiples of a tenth");
  check::near(detail::common_unit(shape, {2.0, 0.683593, 0.683593}).unit, 0, 0);
  check::near(detail::common_unit({1, 1, 40000}, {1, 1, 1}).unit, 0, 0);    // 40000^2 is no 30-bit number
  check::near(detail::common_unit({1, 20, 30}, {0.777, 2, 1}).unit, 1, 0);  // an axis of one pixel has no distances
}

// Lines longer than integers hold, and roots beyond 2^24.
void long_lines() {
  for (const std::size_t length : {std::size_t{5000}, std::size_t{70000}}) {
    std::vector<std::uint8_t> mask(length, 1);
    mask[0] = 0;
    for (const Shape& shape : {Shape{1, 1, length}, Shape{1, length, 1}}) {
      std::vector<float> out(length);
      distance_transform(mask, shape, {1, 1, 1}, out);
      bool exact = true;
      for (std::size_t i = 0; i < length; ++i) exact = exact && out[i] == static_cast<float>(i);
      check::is_true(exact, "the distance to the first pixel");
    }
  }
}

void slabs() {
  scene::Normal random(3);
  const Shape shape{11, 19, 37};
  const std::size_t plane = shape[1] * shape[2];
  for (const Spacing& spacing : {Spacing{2, 0.5, 0.5}, Spacing{0.7131, 1.9177, 0.0777}}) {
    const auto mask = random_mask(shape, 0.98, random);
    std::vector<float> whole(mask.size());
    distance_transform(mask, shape, spacing, whole);
    for (const std::size_t planes : {std::size_t{1}, std::size_t{4}, std::size_t{11}}) {
      std::vector<float> out(mask.size(), -1);
      const auto part = [&](auto&& values, std::size_t first) {
        return std::span(values).subspan(first * plane, std::min(planes, shape[0] - first) * plane);
      };
      constexpr float infinity = std::numeric_limits<float>::infinity();
      std::vector<float> since(plane, infinity);
      for (std::size_t z = 0; z < shape[0]; z += planes) count_slab(part(mask, z), since, part(out, z), 2);
      since.assign(plane, infinity);
      for (std::size_t z = (shape[0] - 1) / planes * planes + planes; z > 0; z -= planes) {
        finish_slab(part(mask, z - planes), shape, spacing, since, part(out, z - planes), 2);
      }
      check::is_true(out == whole, "the same bits in slabs");
    }
  }
  std::vector<std::uint8_t> mask(12, 1);
  std::vector<float> since(5);
  std::vector<float> out(12);
  check::throws(ErrorKind::input, [&] { count_slab(mask, since, out); });
  check::throws(ErrorKind::input, [&] { count_slab(mask, {}, out); });
  check::throws(ErrorKind::input, [&] { finish_slab(mask, {1, 3, 4}, {1, 1, 1}, since, out); });
  since.resize(4);
  check::throws(ErrorKind::unit, [&] { finish_slab(mask, {3, 1, 4}, {1, -1, 1}, since, out); });
  check::throws(ErrorKind::input, [&] { finish_slab(mask, {std::size_t{1} << 25, 1, 4}, {1, 1, 1}, since, out); });
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
  every_instruction_set();
  common_units();
  long_lines();
  slabs();
  refusals();
  planes();
  return check::result();
}
