#include "pyicg/contrast.hpp"

#include <string>
#include <tuple>

#include "array.hpp"
#include "pyicg/background_surface.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

BackgroundPolicy policy_of(const std::string& name) {
  if (name == "mode") return BackgroundPolicy::mode;
  if (name == "median") return BackgroundPolicy::median;
  if (name == "percentile") return BackgroundPolicy::percentile;
  if (name == "mask") return BackgroundPolicy::mask;
  if (name == "annulus") return BackgroundPolicy::annulus;
  if (name == "distant") return BackgroundPolicy::distant;
  throw Error(ErrorKind::input, "unknown background policy \"" + name +
                                    "\"; expected mode, median, percentile, mask, annulus, distant or surface");
}

CalibratedView view_of(const py::array& data, const py::array& mask, const py::object& variance, double step) {
  CalibratedView frame{view_2d<float>(data, "data"), view_2d<std::uint8_t>(mask, "mask"),
                       optional_view_2d<float>(variance, "variance"), step};
  if (frame.variance.data != nullptr &&
      (frame.variance.height != frame.data.height || frame.variance.width != frame.data.width)) {
    throw Error(ErrorKind::input, "data and variance must have one shape");
  }
  return frame;
}

py::object budget_tuple(const UncertaintyBudget& u) {
  return py::make_tuple(u.pixel_noise, u.sampling, u.heterogeneity, u.placement);
}

// What Python's Background holds; a budget that nobody stated counts as no information.
Background background_from(const py::dict& d) {
  Background b;
  b.level = d["level"].cast<double>();
  b.sigma = d["sigma"].cast<double>();
  b.sem = d["sem"].cast<double>();
  b.sigma_error = d["sigma_error"].cast<double>();
  b.n_pixels = d["n_pixels"].cast<std::size_t>();
  b.reason = reason_of(d["reason"].cast<std::string>());
  b.dof = d["dof"].cast<double>();
  b.empty_field = d["empty_field"].cast<bool>();
  b.effective_pixels = d["effective_pixels"].cast<double>();
  for (const py::handle item : d["patches"]) {
    const auto [pixels, sigma, patches] = item.cast<std::tuple<double, double, double>>();
    if (b.n_patches < max_patches) b.patches.at(b.n_patches++) = {pixels, sigma, patches};
  }
  if (!d["budget"].is_none()) {
    const auto parts = d["budget"].cast<py::tuple>();
    b.budget = {parts[0].cast<double>(), parts[1].cast<double>(), parts[2].cast<double>(), parts[3].cast<double>()};
  }
  return b;
}

}  // namespace

py::dict background_dict(const Background& b) {
  py::dict d;
  d["level"] = b.level;
  d["sigma"] = b.sigma;
  d["sem"] = b.sem;
  d["sigma_error"] = b.sigma_error;
  d["n_pixels"] = b.n_pixels;
  d["reason"] = reason_or_none(b.reason);
  d["empty_field"] = b.empty_field;
  d["budget"] = budget_tuple(b.budget);
  d["dof"] = b.dof;
  d["effective_pixels"] = b.effective_pixels;
  py::tuple patches(b.n_patches);
  for (std::size_t i = 0; i < b.n_patches; ++i) {
    const Patch& patch = b.patches.at(i);
    patches[i] = py::make_tuple(patch.pixels, patch.sigma, patch.patches);
  }
  d["patches"] = patches;
  return d;
}

py::dict contrast_dict(const Contrast& c) {
  py::dict d;
  d["sbr"] = to_python(c.sbr);
  d["sbr_raw"] = to_python(c.sbr_raw);
  d["weber"] = to_python(c.weber);
  d["michelson"] = to_python(c.michelson);
  d["cnr"] = to_python(c.cnr);
  d["cvr"] = to_python(c.cvr);
  d["signal_level"] = to_python(c.signal_level);
  d["background_level"] = to_python(c.background_level);
  d["signal_budget"] = budget_tuple(c.signal_budget);
  d["background_budget"] = budget_tuple(c.background_budget);
  return d;
}

void bind_contrast(py::module_& m) {
  using py::arg;
  m.def(
      "estimate_background",
      [](const py::array& data, const py::array& mask, const py::object& variance, double step,
         const std::string& policy, const py::object& use, const py::object& exclude, const py::object& signal,
         double guard_px, double width_px) {
        const CalibratedView frame = view_of(data, mask, variance, step);
        const BackgroundOptions options{policy_of(policy),
                                        optional_view_2d<std::uint8_t>(use, "mask"),
                                        optional_view_2d<std::uint8_t>(exclude, "exclude"),
                                        optional_view_2d<std::uint8_t>(signal, "signal"),
                                        guard_px,
                                        width_px};
        Background background;
        {
          const py::gil_scoped_release release;
          BackgroundWorkspace workspace;
          background = estimate_background(frame, options, workspace);
        }
        return background_dict(background);
      },
      arg("data"), arg("mask"), arg("variance"), arg("step"), py::kw_only(), arg("policy"), arg("use"), arg("exclude"),
      arg("signal"), arg("guard_px"), arg("width_px"));

  m.def("default_guard_px", &default_guard_px, arg("lesion_area_px"));

  m.def(
      "contrast",
      [](const py::array& data, const py::array& mask, const py::object& variance, double step, const py::array& signal,
         const py::dict& background, double placement_px, double offset, bool calibrated) {
        const CalibratedView frame = view_of(data, mask, variance, step);
        const auto signal_view = view_2d<std::uint8_t>(signal, "signal");
        const Background below = background_from(background);
        Contrast result;
        {
          const py::gil_scoped_release release;
          result = contrast(region_stats(frame, signal_view, placement_px), below, offset,
                            calibrated ? Reason::none : Reason::uncalibrated);
        }
        return contrast_dict(result);
      },
      arg("data"), arg("mask"), arg("variance"), arg("step"), py::kw_only(), arg("signal"), arg("background"),
      arg("placement_px"), arg("offset"), arg("calibrated"));

  py::class_<BackgroundSurface>(m, "BackgroundSurface")
      .def(py::init([](const py::array& data, const py::array& mask, const py::object& variance, double step,
                       const py::object& exclude, int order) {
             const CalibratedView frame = view_of(data, mask, variance, step);
             const auto exclude_view = optional_view_2d<std::uint8_t>(exclude, "exclude");
             const py::gil_scoped_release release;
             BackgroundWorkspace workspace;
             return fit_background_surface(frame, exclude_view, order, workspace);
           }),
           arg("data"), arg("mask"), arg("variance"), arg("step"), py::kw_only(), arg("exclude"), arg("order"))
      .def_readonly("sigma", &BackgroundSurface::sigma)
      .def_readonly("n_pixels", &BackgroundSurface::n_pixels)
      .def_property_readonly("reason", [](const BackgroundSurface& s) { return reason_or_none(s.reason); })
      .def_property_readonly("level",
                             [](const BackgroundSurface& s) {
                               py::array_t<float> level({s.height, s.width});
                               const ImageView<float> out = mutable_view_2d(level, "level");
                               {
                                 const py::gil_scoped_release release;
                                 evaluate(s, out);
                               }
                               return level;
                             })
      .def(
          "under",
          [](const BackgroundSurface& s, const py::array& region) {
            const auto view = view_2d<std::uint8_t>(region, "signal");
            Background background;
            {
              const py::gil_scoped_release release;
              background = background_under(s, view);
            }
            return background_dict(background);
          },
          arg("region"));
}

}  // namespace pyicg::bindings
