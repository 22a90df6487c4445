#include "pyicg/calibrate.hpp"

#include <memory>
#include <optional>

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

std::vector<double> table_of(const py::object& object) {
  if (object.is_none()) return {};
  const auto array = object.cast<py::array>();
  if (!py::isinstance<py::array_t<double>>(array) || array.ndim() != 1 || array.size() == 0) {
    throw Error(ErrorKind::profile,
                "linearity_table must be a 1-D float64 array of two values or more, " + describe(array));
  }
  const auto values = array.cast<py::array_t<double>>().unchecked<1>();
  std::vector<double> table;
  for (py::ssize_t i = 0; i < values.shape(0); ++i) table.push_back(values(i));
  return table;
}

std::shared_ptr<Profile> make_profile(std::size_t height, std::size_t width, const py::object& dark,
                                      const py::object& dark_rate, const py::object& dark_sigma, const py::object& flat,
                                      const py::object& flat_sigma, const py::object& bad,
                                      const py::object& read_noise_map, const py::object& gain_map,
                                      std::array<double, 3> linearity, const py::object& linearity_table,
                                      double linearity_step_dn, double saturation_dn, double exposure_ms,
                                      double exposure_min_ms, double exposure_max_ms, double dark_mean_exposure_ms,
                                      double dark_exposure_sd_ms, double gain_db, double gain_dn_per_e,
                                      double read_noise_dn, double response_nm_per_dn_ms, bool calibrated) {
  ProfileData data;
  data.height = height;
  data.width = width;
  data.dark = map_of<float>(dark, "dark", height, width);
  data.dark_rate = map_of<float>(dark_rate, "dark_rate", height, width);
  data.dark_sigma = map_of<float>(dark_sigma, "dark_sigma", height, width);
  data.flat = map_of<float>(flat, "flat", height, width);
  data.flat_sigma = map_of<float>(flat_sigma, "flat_sigma", height, width);
  data.bad = map_of<std::uint8_t>(bad, "bad", height, width);
  data.read_noise_map = map_of<float>(read_noise_map, "read_noise_map", height, width);
  data.gain_map = map_of<float>(gain_map, "gain_map", height, width);
  data.linearity = linearity;
  data.linearity_table = table_of(linearity_table);
  data.linearity_step_dn = linearity_step_dn;
  data.saturation_dn = saturation_dn;
  data.exposure_ms = exposure_ms;
  data.exposure_min_ms = exposure_min_ms;
  data.exposure_max_ms = exposure_max_ms;
  data.dark_mean_exposure_ms = dark_mean_exposure_ms;
  data.dark_exposure_sd_ms = dark_exposure_sd_ms;
  data.gain_db = gain_db;
  data.gain_dn_per_e = gain_dn_per_e;
  data.read_noise_dn = read_noise_dn;
  data.response_nm_per_dn_ms = response_nm_per_dn_ms;
  data.calibrated = calibrated;
  return std::make_shared<Profile>(std::move(data));
}

SignalUnit unit_of(const std::optional<std::string>& name) {
  if (!name) return SignalUnit::automatic;
  for (const SignalUnit unit : {SignalUnit::dn_per_ms, SignalUnit::electrons_per_ms, SignalUnit::nanomolar,
                                SignalUnit::dn, SignalUnit::electrons}) {
    if (*name == unit_name(unit)) return unit;
  }
  throw Error(ErrorKind::unit, "unit \"" + *name +
                                   "\" is unknown; expected \"DN/ms\", \"e/ms\" or \"nM\", or \"DN\" or \"e\" for "
                                   "frames without an exposure");
}

// (data, mask, variance or None, unit) of a calibrated frame.
Ambient ambient_of(const py::object& object) {
  if (object.is_none()) return {};
  const auto parts = object.cast<py::tuple>();
  return {view_2d<float>(parts[0].cast<py::array>(), "the ambient data"),
          view_2d<std::uint8_t>(parts[1].cast<py::array>(), "the ambient mask"),
          optional_view_2d<float>(parts[2], "the ambient variance"), unit_of(parts[3].cast<std::string>())};
}

py::tuple calibrate_frame(const py::array& frame, const Profile& profile, double exposure_ms, double gain_db,
                          const py::object& out, const std::optional<std::string>& unit, bool variance,
                          const py::object& exclude, const py::object& ambient, unsigned threads) {
  const RawFrame raw = raw_frame(frame);
  const std::size_t height = profile.data().height;
  const std::size_t width = profile.data().width;
  if (!out.is_none() && !py::isinstance<py::array_t<float>>(out)) {
    throw Error(ErrorKind::input, "out must be a float32 array of the frame's shape");
  }
  CalibrationOptions options;
  options.unit = unit_of(unit);
  options.exclude = optional_view_2d<std::uint8_t>(exclude, "exclude");
  options.ambient = ambient_of(ambient);
  options.threads = threads;
  auto data = out.is_none() ? new_array<float>(height, width) : out.cast<py::array_t<float>>();
  auto mask = new_array<std::uint8_t>(height, width);
  py::object variance_array = py::none();
  ImageView<float> variance_view;
  if (variance && profile.has_variance()) {
    auto array = new_array<float>(height, width);
    variance_view = mutable_view_2d(array, "variance");
    variance_array = std::move(array);
  }
  const auto data_view = mutable_view_2d(data, "out");
  const auto mask_view = mutable_view_2d(mask, "mask");
  CalibrationSummary s;
  {
    const py::gil_scoped_release release;
    s = calibrate(raw, profile, {exposure_ms, gain_db}, data_view, mask_view, variance_view, options);
  }
  return py::make_tuple(data, mask, variance_array, unit_name(s.unit), s.exposure_ms, s.offset, s.step);
}

}  // namespace

void bind_calibrate(py::module_& m) {
  using py::arg;
  py::class_<Profile, std::shared_ptr<Profile>>(m, "Profile")
      .def(py::init(&make_profile), py::kw_only(), arg("height"), arg("width"), arg("dark") = py::none(),
           arg("dark_rate") = py::none(), arg("dark_sigma") = py::none(), arg("flat") = py::none(),
           arg("flat_sigma") = py::none(), arg("bad") = py::none(), arg("read_noise_map") = py::none(),
           arg("gain_map") = py::none(), arg("linearity") = std::array<double, 3>{1, 0, 0},
           arg("linearity_table") = py::none(), arg("linearity_step_dn") = nan, arg("saturation_dn") = infinity,
           arg("exposure_ms") = nan, arg("exposure_min_ms") = nan, arg("exposure_max_ms") = nan,
           arg("dark_mean_exposure_ms") = nan, arg("dark_exposure_sd_ms") = nan, arg("gain_db") = nan,
           arg("gain_dn_per_e") = nan, arg("read_noise_dn") = nan, arg("response_nm_per_dn_ms") = nan,
           arg("calibrated") = false)
      .def_property_readonly("shape", [](const Profile& p) { return py::make_tuple(p.data().height, p.data().width); })
      .def_property_readonly("has_variance", &Profile::has_variance);

  m.def("calibrate", &calibrate_frame, arg("frame"), arg("profile"), py::kw_only(), arg("exposure_ms"), arg("gain_db"),
        arg("out"), arg("unit"), arg("variance"), arg("exclude"), arg("ambient"), arg("threads"));
}

}  // namespace pyicg::bindings
