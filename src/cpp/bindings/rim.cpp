#include "pyicg/rim.hpp"

#include "array.hpp"
#include "pyicg/error.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
namespace {

py::array_t<double> contour(const std::vector<Vertex>& vertices) {
  auto array = new_array<double>(vertices.size(), 2);
  double* out = array.mutable_data();
  for (const Vertex& v : vertices) {
    *out++ = v.y;
    *out++ = v.x;
  }
  return array;
}

py::array_t<double> vector_of(const std::vector<double>& values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

std::string size_of(std::size_t height, std::size_t width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

ThresholdRule rule_of(const std::string& name) {
  if (name == "hysteresis") return ThresholdRule::hysteresis;
  if (name == "otsu") return ThresholdRule::otsu;
  if (name == "multi_otsu") return ThresholdRule::multi_otsu;
  throw Error(ErrorKind::input, "threshold must be hysteresis, otsu or multi_otsu, found " + name);
}

}  // namespace

py::dict lesion_dict(const Lesion& lesion) {
  py::dict d;
  d["label"] = lesion.label;
  d["inner_contour"] = contour(lesion.inner);
  d["outer_contour"] = contour(lesion.outer);
  d["inner_sigma"] = vector_of(lesion.inner_sigma);
  d["correlation_px"] = lesion.correlation_px;
  d["outer_sigma"] = vector_of(lesion.outer_sigma);
  d["core_depth"] = lesion.core_depth;
  d["core_bright_share"] = lesion.core_bright;
  d["sbr_core"] = to_python(lesion.sbr_core);
  d["edge_sigma_px"] = lesion.edge_sigma_px;
  d["thickness"] = to_python(lesion.mean_thickness);
  d["thickness_mm"] = to_python(lesion.mean_thickness_mm);
  d["thickness_profile"] = vector_of(lesion.thickness);
  d["completeness"] = lesion.completeness;
  auto gaps = new_array<double>(lesion.gaps.size(), 2);
  double* out = gaps.mutable_data();
  for (const Gap& gap : lesion.gaps) {
    *out++ = gap.from_deg;
    *out++ = gap.to_deg;
  }
  d["gaps_deg"] = gaps;
  d["area_px"] = lesion.area_px;
  d["area_mm2"] = to_python(lesion.area_mm2);
  d["centroid"] = py::make_tuple(lesion.centroid_y, lesion.centroid_x);
  d["sbr"] = to_python(lesion.sbr);
  d["confidence"] = lesion.confidence;
  py::list reasons;
  if (!(lesion.confidence >= sure_rim)) reasons.append(reason_name(Reason::low_confidence));
  if (lesion.not_star_shaped) reasons.append(reason_name(Reason::not_star_shaped));
  if (lesion.clipped_by_border) reasons.append(reason_name(Reason::clipped_by_border));
  if (lesion.saturated) reasons.append(reason_name(Reason::saturated_lower_bound));
  if (lesion.background_not_resolved) reasons.append(reason_name(Reason::background_not_resolved));
  d["reasons"] = py::tuple(reasons);
  return d;
}

py::list rejected_list(const std::vector<Rejected>& rejected) {
  py::list list;
  for (const Rejected& r : rejected) {
    list.append(py::make_tuple(reason_name(r.reason), py::make_tuple(r.centroid_y, r.centroid_x), r.area_px,
                               py::make_tuple(r.y0, r.x0, r.y1, r.x1)));
  }
  return list;
}

void bind_rim(py::module_& m) {
  using py::arg;
  m.def(
      "segment_rim",
      [](const py::array& data, const py::array& mask, double level, double sigma, double sem, std::size_t n_pixels,
         const std::string& reason, double sbr_cut, double psf_sigma_px, double min_area_px, double smooth_px,
         double pixel_size_mm, const std::string& threshold, bool calibrated) {
        const auto data_view = view_2d<float>(data, "data");
        const auto mask_view = view_2d<std::uint8_t>(mask, "mask");
        if (mask_view.height != data_view.height || mask_view.width != data_view.width) {
          throw Error(ErrorKind::input, "mask is " + size_of(mask_view.height, mask_view.width) + ", the frame " +
                                            size_of(data_view.height, data_view.width) +
                                            "; give one of the frame's size");
        }
        Background background;
        background.level = level;
        background.sigma = sigma;
        background.sem = sem;
        background.n_pixels = n_pixels;
        background.reason = reason_of(reason);
        RimOptions options;
        options.sbr_cut = sbr_cut;
        options.psf_sigma_px = psf_sigma_px;
        options.min_area_px = min_area_px;
        options.smooth_px = smooth_px;
        options.pixel_size_mm = pixel_size_mm;
        options.threshold = rule_of(threshold);
        options.carried = calibrated ? Reason::none : Reason::uncalibrated;
        check(options);
        RimWorkspace ws;
        RimResult result;
        {
          const py::gil_scoped_release release;
          smooth_frame(data_view, mask_view, smooth_px, ws);
          result = segment_rim(data_view, mask_view, background, options, ws);
        }
        py::list lesions;
        for (const Lesion& lesion : result.lesions) lesions.append(lesion_dict(lesion));
        const std::size_t height = data_view.height;
        const std::size_t width = data_view.width;
        return py::make_tuple(
            copy_array<bool>(ws.rim_mask.data(), height, width), copy_array<bool>(ws.core_mask.data(), height, width),
            copy_array<std::int32_t>(ws.labels.data(), height, width), lesions, rejected_list(result.rejected));
      },
      arg("data"), arg("mask"), py::kw_only(), arg("level"), arg("sigma"), arg("sem"), arg("n_pixels"), arg("reason"),
      arg("sbr_cut"), arg("psf_sigma_px"), arg("min_area_px"), arg("smooth_px"), arg("pixel_size_mm"), arg("threshold"),
      arg("calibrated"));
}

}  // namespace pyicg::bindings
