#include "pyicg/distance.hpp"

#include <array>
#include <span>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

// Contiguous by contract with distance.py, which checks what users pass.
using Volume = py::array_t<std::uint8_t, py::array::c_style>;
using Floats = py::array_t<float, py::array::c_style>;
using Points = py::array_t<double, py::array::c_style>;

std::span<const std::uint8_t> bytes(const Volume& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

std::span<float> floats(Floats& array) { return {array.mutable_data(), static_cast<std::size_t>(array.size())}; }

}  // namespace

void bind_distance(py::module_& m) {
  using py::arg;
  m.def(
      "distance_transform",
      [](const Volume& mask, Floats& out, std::array<double, 3> spacing, unsigned threads) {
        if (mask.ndim() != 3) throw Error(ErrorKind::input, "mask must be 3-D here, " + describe(mask));
        const auto size = [&](int axis) { return static_cast<std::size_t>(mask.shape(axis)); };
        const std::span<const std::uint8_t> in = bytes(mask);
        const std::span<float> result = floats(out);
        const std::array<std::size_t, 3> shape{size(0), size(1), size(2)};
        const py::gil_scoped_release release;
        distance_transform(in, shape, spacing, result, threads);
      },
      arg("mask").noconvert(), arg("out").noconvert(), py::kw_only(), arg("spacing"), arg("threads"));

  m.def(
      "count_slab",
      [](const Volume& mask, Floats& since, Floats& out, unsigned threads) {
        const std::span<const std::uint8_t> in = bytes(mask);
        const std::span<float> plane = floats(since);
        const std::span<float> result = floats(out);
        const py::gil_scoped_release release;
        count_slab(in, plane, result, threads);
      },
      arg("mask").noconvert(), arg("since").noconvert(), arg("out").noconvert(), py::kw_only(), arg("threads"));

  m.def(
      "finish_slab",
      [](const Volume& mask, Floats& since, Floats& out, std::array<std::size_t, 3> shape,
         std::array<double, 3> spacing, unsigned threads) {
        const std::span<const std::uint8_t> in = bytes(mask);
        const std::span<float> plane = floats(since);
        const std::span<float> result = floats(out);
        const py::gil_scoped_release release;
        finish_slab(in, shape, spacing, plane, result, threads);
      },
      arg("mask").noconvert(), arg("since").noconvert(), arg("out").noconvert(), py::kw_only(), arg("shape"),
      arg("spacing"), arg("threads"));

  m.def(
      "plane_distances",
      [](const Points& points, const Point& point, const Point& normal) {
        if (points.ndim() != 2 || points.shape(1) != 3) {
          throw Error(ErrorKind::input, "points must be (N, 3), " + describe(points));
        }
        py::array_t<double> out(points.shape(0));
        const auto n = static_cast<std::size_t>(points.shape(0));
        const auto* first = reinterpret_cast<const Point*>(points.data());
        plane_distances({first, n}, point, normal, {out.mutable_data(), n});
        return out;
      },
      arg("points").noconvert(), arg("point"), arg("normal"));
}

}  // namespace pyicg::bindings
