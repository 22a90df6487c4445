#include "pyicg/calibrate.hpp"

#include <memory>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

template <class T>
std::vector<T> map_of(const py::object& object, const char* name, std::size_t height, std::size_t width) {
  if (object.is_none()) return {};
  const auto view = view_2d<T>(object.cast<py::array>(), name);
  if (view.height != height || view.width != width) {
    throw Error(ErrorKind::profile, std::string("the profile's ") + name + " map is " + std::to_string(view.height) +
                                        " x " + std::to_string(view.width) + ", expected " + std::to_string(height) +
                                        " x " + std::to_string(width));
  }
  std::vector<T> map;
  map.reserve(view.size());
  for (std::size_t y = 0; y < height; ++y) map.insert(map.end(), view.row(y), view.row(y) + width);
  return map;
}

std::shared_ptr<Profile> make_profile(std::size_t height, std::size_t width, const py::object& dark,
                                      const py::object& flat, const py::object& bad, std::array<double, 3> linearity,
                                      double saturation_dn, double exposure_ms, double exposure_min_ms,
                                      double exposure_max_ms, double gain_db, double gain_dn_per_e,
                                      double read_noise_dn, bool calibrated) {
  ProfileData data;
  data.height = height;
  data.width = width;
  data.dark = map_of<float>(dark, "dark", height, width);
  data.flat = map_of<float>(flat, "flat", height, width);
  data.bad = map_of<std::uint8_t>(bad, "bad", height, width);
  data.linearity = linearity;
  data.saturation_dn = saturation_dn;
  data.exposure_ms = exposure_ms;
  data.exposure_min_ms = exposure_min_ms;
  data.exposure_max_ms = exposure_max_ms;
  data.gain_db = gain_db;
  data.gain_dn_per_e = gain_dn_per_e;
  data.read_noise_dn = read_noise_dn;
  data.calibrated = calibrated;
  return std::make_shared<Profile>(std::move(data));
}

}  // namespace

void bind_calibrate(py::module_& m) {
  using py::arg;
  py::class_<Profile, std::shared_ptr<Profile>>(m, "Profile")
      .def(py::init(&make_profile), py::kw_only(), arg("height"), arg("width"), arg("dark") = py::none(),
           arg("flat") = py::none(), arg("bad") = py::none(), arg("linearity") = std::array<double, 3>{1, 0, 0},
           arg("saturation_dn") = infinity, arg("exposure_ms") = nan, arg("exposure_min_ms") = nan,
           arg("exposure_max_ms") = nan, arg("gain_db") = nan, arg("gain_dn_per_e") = nan, arg("read_noise_dn") = nan,
           arg("calibrated") = false)
      .def_property_readonly("shape", [](const Profile& p) { return py::make_tuple(p.data().height, p.data().width); })
      .def_property_readonly("has_variance", &Profile::has_variance);

  m.def(
      "calibrate",
      [](const py::array& frame, const Profile& profile, double exposure_ms, double gain_db, const py::object& out) {
        const RawFrame raw = raw_frame(frame);
        const std::size_t height = profile.data().height;
        const std::size_t width = profile.data().width;
        if (!out.is_none() && !py::isinstance<py::array_t<float>>(out)) {
          throw Error(ErrorKind::input, "out must be a float32 array of the frame's shape");
        }
        auto data = out.is_none() ? new_array<float>(height, width) : out.cast<py::array_t<float>>();
        auto mask = new_array<std::uint8_t>(height, width);
        py::object variance = py::none();
        ImageView<float> variance_view;
        if (profile.has_variance()) {
          auto array = new_array<float>(height, width);
          variance_view = mutable_view_2d(array, "variance");
          variance = std::move(array);
        }
        const auto data_view = mutable_view_2d(data, "out");
        const auto mask_view = mutable_view_2d(mask, "mask");
        CalibrationSummary s;
        {
          const py::gil_scoped_release release;
          s = calibrate(raw, profile, {exposure_ms, gain_db}, data_view, mask_view, variance_view);
        }
        return py::make_tuple(data, mask, variance, s.exposure_ms, s.offset, s.step);
      },
      arg("frame"), arg("profile"), py::kw_only(), arg("exposure_ms"), arg("gain_db"), arg("out"));
}

}  // namespace pyicg::bindings
