#include "pyicg/contrast.hpp"

#include <string>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

BackgroundPolicy policy_of(const std::string& name) {
  if (name == "mode") return BackgroundPolicy::mode;
  if (name == "median") return BackgroundPolicy::median;
  if (name == "percentile") return BackgroundPolicy::percentile;
  if (name == "mask") return BackgroundPolicy::mask;
  throw Error(ErrorKind::input,
              "unknown background policy \"" + name + "\"; expected mode, median, percentile or mask");
}

}  // namespace

py::dict background_dict(const Background& b) {
  py::dict d;
  d["level"] = b.level;
  d["sigma"] = b.sigma;
  d["sem"] = b.sem;
  d["n_pixels"] = b.n_pixels;
  d["reason"] = reason_or_none(b.reason);
  d["empty_field"] = b.empty_field;
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
  return d;
}

void bind_contrast(py::module_& m) {
  using py::arg;
  m.def(
      "estimate_background",
      [](const py::array& data, const py::array& mask, const std::string& policy, const py::object& use,
         const py::object& exclude, double step) {
        const auto data_view = view_2d<float>(data, "data");
        const auto mask_view = view_2d<std::uint8_t>(mask, "mask");
        const auto use_view = optional_view_2d<std::uint8_t>(use, "mask");
        const auto exclude_view = optional_view_2d<std::uint8_t>(exclude, "exclude");
        const BackgroundPolicy chosen = policy_of(policy);
        Background background;
        {
          const py::gil_scoped_release release;
          std::vector<float> scratch;
          background = estimate_background(data_view, mask_view, chosen, use_view, exclude_view, scratch, step);
        }
        return background_dict(background);
      },
      arg("data"), arg("mask"), py::kw_only(), arg("policy"), arg("use"), arg("exclude"), arg("step"));

  m.def(
      "contrast",
      [](const py::array& data, const py::array& mask, const py::array& signal, double level, double sigma, double sem,
         std::size_t n_pixels, const std::string& reason, double offset, bool calibrated) {
        const auto data_view = view_2d<float>(data, "data");
        const auto mask_view = view_2d<std::uint8_t>(mask, "mask");
        const auto signal_view = view_2d<std::uint8_t>(signal, "signal");
        const Background background{level, sigma, sem, n_pixels, reason_of(reason)};
        Contrast result;
        {
          const py::gil_scoped_release release;
          result = contrast(region_stats(data_view, mask_view, signal_view), background, offset,
                            calibrated ? Reason::none : Reason::uncalibrated);
        }
        return contrast_dict(result);
      },
      arg("data"), arg("mask"), py::kw_only(), arg("signal"), arg("level"), arg("sigma"), arg("sem"), arg("n_pixels"),
      arg("reason"), arg("offset"), arg("calibrated"));
}

}  // namespace pyicg::bindings
