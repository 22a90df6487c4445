#include "pyicg/residual.hpp"

#include <algorithm>
#include <array>

#include "array.hpp"
#include "pyicg/scorer.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {

void bind_residual(py::module_& m) {
  using py::arg;
  m.def(
      "residual_fluorescence",
      [](const py::array& data, const py::array& mask, double level, double sigma, double sbr_cut, double min_area_px,
         double smooth_px, double pixel_size_mm) {
        const auto data_view = view_2d<float>(data, "data");
        const auto mask_view = view_2d<std::uint8_t>(mask, "mask");
        if (mask_view.height != data_view.height || mask_view.width != data_view.width) {
          throw Error(ErrorKind::input, "mask must have the shape of data, " + describe(mask));
        }
        Background background;
        background.level = level;
        background.sigma = sigma;
        RimOptions options;  // the same options in the same ranges
        options.sbr_cut = sbr_cut;
        options.min_area_px = min_area_px;
        options.smooth_px = smooth_px;
        options.pixel_size_mm = pixel_size_mm;
        check(options);
        RimWorkspace ws;
        std::array<Residual, standard_cuts.size()> standard;
        Residual residual;
        {
          const py::gil_scoped_release release;
          const auto at = [&](double cut) {
            return residual_fluorescence(mask_view, background, cut, min_area_px, smooth_px, ws);
          };
          smooth_frame(data_view, mask_view, smooth_px, ws);
          std::transform(standard_cuts.begin(), standard_cuts.end(), standard.begin(), at);
          residual = at(sbr_cut);
          ws.bright.resize(data_view.size());
          mark_residual(min_area_px, {ws.bright.data(), data_view.height, data_view.width}, ws);
        }
        py::dict d;
        d["mask"] = copy_array<bool>(ws.bright.data(), data_view.height, data_view.width);
        py::list spots;
        for (const HotSpot& h : residual.hot_spots) {
          spots.append(py::make_tuple(h.peak_sbr, py::make_tuple(h.peak_y, h.peak_x), h.area_px, h.saturated));
        }
        d["hot_spots"] = spots;
        d["area_px"] = residual.area_px;
        d["sign"] = sign_object(fluorescent_sign(residual));
        py::dict signs;
        for (std::size_t i = 0; i < standard.size(); ++i) {
          signs[py::float_(standard_cuts.at(i))] = sign_object(fluorescent_sign(standard.at(i)));
        }
        d["sign_at"] = signs;
        return d;
      },
      arg("data"), arg("mask"), py::kw_only(), arg("level"), arg("sigma"), arg("sbr_cut"), arg("min_area_px"),
      arg("smooth_px"), arg("pixel_size_mm"));
}

}  // namespace pyicg::bindings
