#include "pyicg/frame_sums.hpp"

#include <mutex>
#include <vector>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

// Frames of two threads are added one after the other; the sums do not depend on the order, the steps do.
struct GuardedSums {
  GuardedSums(std::size_t height, std::size_t width, std::uint32_t full_scale) : sums(height, width, full_scale) {}
  FrameSums sums;
  std::mutex mutex;
};

template <class T>
void add(GuardedSums& self, const py::array& frame) {
  const auto view = view_2d<T>(frame, "frame");
  const py::gil_scoped_release release;
  const std::lock_guard lock(self.mutex);
  self.sums.add(view);
}

void add_any(GuardedSums& self, const py::array& frame) {
  if (py::isinstance<py::array_t<std::uint8_t>>(frame)) return add<std::uint8_t>(self, frame);
  if (py::isinstance<py::array_t<std::uint16_t>>(frame)) return add<std::uint16_t>(self, frame);
  throw Error(ErrorKind::input,
              "frame must be uint8 or uint16 in native byte order, " + describe(frame) + "; use the raw frames");
}

template <class Read>
auto locked(Read read) {
  return [read](GuardedSums& self) {
    const py::gil_scoped_release release;  // never wait for a mutex with the GIL held
    const std::lock_guard lock(self.mutex);
    const py::gil_scoped_acquire acquire;
    return read(self.sums);
  };
}

auto map_of(const std::vector<std::int64_t>& (FrameSums::*read)() const) {
  return locked([read](const FrameSums& sums) {
    return copy_array<std::int64_t>((sums.*read)().data(), sums.height(), sums.width());
  });
}

}  // namespace

void bind_frame_sums(py::module_& m) {
  using py::arg;
  py::class_<GuardedSums>(m, "FrameSums")
      .def(py::init<std::size_t, std::size_t, std::uint32_t>(), arg("height"), arg("width"), arg("full_scale"))
      .def("add", &add_any, arg("frame"))
      .def_property_readonly("n", locked([](const FrameSums& s) { return s.n(); }))
      .def_property_readonly("sum", map_of(&FrameSums::sum))
      .def_property_readonly("sum_squares", map_of(&FrameSums::sum_squares))
      .def_property_readonly("step_squares", map_of(&FrameSums::step_squares))
      .def_property_readonly("zeros", locked([](const FrameSums& s) { return s.zeros(); }))
      .def_property_readonly("saturated", locked([](const FrameSums& s) { return s.saturated(); }))
      .def_property_readonly("ends", locked([](const FrameSums& s) {
                               const FrameSums::Ends e = s.ends();
                               return py::make_tuple(py::make_tuple(e.lowest, e.at_lowest, e.above_lowest),
                                                     py::make_tuple(e.highest, e.at_highest, e.below_highest));
                             }))
      .def_property_readonly("frame_totals", locked([](const FrameSums& s) { return s.frame_totals(); }));
}

}  // namespace pyicg::bindings
