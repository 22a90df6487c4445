#include "pyicg/statistics.hpp"

#include <vector>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {

py::dict statistics_dict(const RegionStatistics& s) {
  py::dict d;
  d["n"] = s.n;
  d["n_left_out"] = s.n_left_out;
  d["n_saturated"] = s.n_saturated;
  d["minimum"] = s.minimum;
  d["maximum"] = s.maximum;
  d["sum"] = s.sum;
  d["mean"] = s.mean;
  d["sd"] = s.sd;
  d["median"] = s.median;
  d["mad"] = s.mad;
  d["percentiles"] = s.percentiles;
  return d;
}

void bind_statistics(py::module_& m) {
  using py::arg;
  m.def(
      "region_statistics",
      [](const py::array& data, const py::array& mask, const py::object& region, const std::vector<double>& percentiles,
         unsigned threads) {
        const auto data_view = view_2d<float>(data, "data");
        const auto mask_view = view_2d<std::uint8_t>(mask, "mask");
        const auto region_view = optional_view_2d<std::uint8_t>(region, "region");
        RegionStatistics s;
        {
          const py::gil_scoped_release release;
          s = region_statistics(data_view, mask_view, region_view, percentiles, threads);
        }
        return statistics_dict(s);
      },
      arg("data"), arg("mask"), py::kw_only(), arg("region"), arg("percentiles"), arg("threads"));
}

}  // namespace pyicg::bindings
