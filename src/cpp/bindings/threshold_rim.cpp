#include "pyicg/threshold_rim.hpp"

#include <mutex>
#include <string>
#include <vector>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

// Belongs to one thread at a time; a second one that calls meanwhile waits instead of racing.
struct Guarded {
  Guarded(std::size_t height, std::size_t width) : rims(height, width) {}
  ThresholdRims rims;
  std::mutex mutex;
};

// The object's own memory, which only it may write and which the array keeps alive.
template <class As, class T>
py::object map_of(ImageView<const T> view, const py::object& owner) {
  if (view.data == nullptr) return py::none();
  const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(view.height), static_cast<py::ssize_t>(view.width)};
  py::array array(py::dtype::of<As>(), shape, view.data, owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::array_t<double> vertices(std::span<const BorderPixel> pixels) {
  auto array = new_array<double>(pixels.size(), 2);
  double* out = array.mutable_data();
  for (const BorderPixel& p : pixels) {
    *out++ = p.y;
    *out++ = p.x;
  }
  return array;
}

py::dict found_dict(const ThresholdRims& rims) {
  py::dict d;
  d["threshold"] = rims.threshold();
  py::list outer;
  std::vector<py::list> inner(rims.count());
  for (const RimBorder& border : rims.borders()) {
    if (border.hole) {
      inner[border.rim].append(vertices(border.pixels));
    } else {
      outer.append(vertices(border.pixels));
    }
  }
  d["outer_contours"] = py::tuple(outer);
  py::list holes;
  for (const py::list& contours : inner) holes.append(py::tuple(contours));
  d["inner_contours"] = py::tuple(holes);
  d["thickness"] = copy_array<float>(rims.thickness().data(), rims.count(), thickness_rays);
  d["sbr"] = statistics_dict(rims.sbr());
  return d;
}

}  // namespace

void bind_threshold_rim(py::module_& m) {
  using py::arg;
  py::class_<Guarded>(m, "ThresholdRims")
      .def(py::init<std::size_t, std::size_t>(), arg("height"), arg("width"))
      .def(
          "find",
          [](Guarded& self, const py::array& data, const py::array& mask, double smooth_px, double min_area_px,
             double background_level, bool sbr_map, const std::vector<double>& percentages, unsigned threads) {
            const auto data_view = view_2d<float>(data, "data");
            const auto mask_view = view_2d<std::uint8_t>(mask, "mask");
            const py::gil_scoped_release release;
            const std::scoped_lock lock(self.mutex);
            self.rims.find(data_view, mask_view, {smooth_px, min_area_px, background_level, sbr_map, percentages},
                           threads);
            const py::gil_scoped_acquire acquire;
            return found_dict(self.rims);
          },
          arg("data"), arg("mask"), py::kw_only(), arg("smooth_px"), arg("min_area_px"), arg("background_level"),
          arg("sbr_map"), arg("percentages"), arg("threads"))
      .def("maps", [](const py::object& self) {
        const ThresholdRims& rims = self.cast<Guarded&>().rims;
        py::dict d;
        d["rim_mask"] = map_of<bool>(rims.rim_mask(), self);
        d["core_mask"] = map_of<bool>(rims.core_mask(), self);
        d["labels"] = map_of<std::int32_t>(rims.labels(), self);
        d["distances"] = map_of<float>(rims.distances(), self);
        d["sbr_map"] = map_of<float>(rims.sbr_map(), self);
        return d;
      });
}

}  // namespace pyicg::bindings
