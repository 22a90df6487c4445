#include "pyicg/scorer.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {
py::object sign_object(Sign sign) {
  return sign == Sign::unknown ? py::object(py::none()) : py::object(py::bool_(sign == Sign::positive));
}

namespace {

py::dict score_dict(const FrameScore& s) {
  py::dict d;
  d["background"] = background_dict(s.background);
  d["contrast"] = contrast_dict(s.contrast);
  d["exposure_ms"] = s.calibration.exposure_ms;
  d["fluorescent"] = sign_object(s.sign);
  py::dict signs;
  for (std::size_t i = 0; i < standard_cuts.size(); ++i) {
    signs[py::float_(standard_cuts.at(i))] = sign_object(s.sign_at.at(i));
  }
  d["sign_at"] = signs;
  d["residual_area_px"] = s.residual_area_px;
  d["residual_area_mm2"] = to_python(s.residual_area_mm2);
  py::list spots;
  for (const HotSpot& h : s.hot_spots) {
    spots.append(py::make_tuple(h.peak_sbr, py::make_tuple(h.peak_y, h.peak_x), h.area_px));
  }
  d["hot_spots"] = spots;
  py::list lesions;
  for (const Lesion& lesion : s.lesions) lesions.append(lesion_dict(lesion));
  d["lesions"] = lesions;
  d["rejected"] = rejected_list(s.rejected);
  py::dict quality;
  quality["saturated_fraction"] = s.quality.saturated_fraction;
  quality["underflow_fraction"] = s.quality.underflow_fraction;
  quality["bad_pixels"] = s.quality.bad_pixels;
  quality["repaired_pixels"] = s.quality.repaired_pixels;
  quality["focus"] = s.quality.focus;
  quality["calibrated"] = s.quality.calibrated;
  quality["isotropy"] = s.quality.isotropy;
  quality["glare_fraction"] = s.quality.glare_fraction;
  d["quality"] = quality;
  py::list reasons;
  for (const Reason r : s.reasons) reasons.append(reason_name(r));
  d["reasons"] = py::tuple(reasons);
  return d;
}

py::array_t<bool> region_array(ImageView<const std::uint8_t> region) {
  py::array_t<bool> array({region.height, region.width});
  std::transform(region.data, region.data + region.size(), array.mutable_data(), [](std::uint8_t v) { return v != 0; });
  return array;
}

// A scorer belongs to one thread at a time; a second one that calls meanwhile waits instead of racing.
struct GuardedScorer {
  GuardedScorer(std::shared_ptr<const Profile> profile, const ScorerOptions& options)
      : scorer(std::move(profile), options) {}
  Scorer scorer;
  std::mutex mutex;
};

std::unique_ptr<GuardedScorer> make_scorer(std::shared_ptr<Profile> profile, const std::string& view, double sbr_cut,
                                           double pixel_size_mm) {
  if (view != "bed" && view != "section") {
    throw Error(ErrorKind::input, "view must be \"bed\" or \"section\", found \"" + view + "\"");
  }
  ScorerOptions options;
  options.view = view == "bed" ? View::bed : View::section;
  options.sbr_cut = sbr_cut;
  options.pixel_size_mm = pixel_size_mm;
  return std::make_unique<GuardedScorer>(std::move(profile), options);
}

}  // namespace

void bind_scorer(py::module_& m) {
  using py::arg;
  m.def("default_min_area_px", &default_min_area_px, arg("pixel_size_mm"), arg("frame_pixels"));
  py::class_<GuardedScorer>(m, "Scorer")
      .def(py::init(&make_scorer), arg("profile"), py::kw_only(), arg("view"), arg("sbr_cut"), arg("pixel_size_mm"))
      .def(
          "score",
          [](GuardedScorer& self, const py::array& frame, double exposure_ms, double gain_db, bool maps) {
            const RawFrame raw = raw_frame(frame);
            py::gil_scoped_release release;
            const std::lock_guard lock(self.mutex);
            const FrameScore& score = self.scorer.score(raw, {exposure_ms, gain_db});
            const py::gil_scoped_acquire acquire;
            py::dict d = score_dict(score);
            if (maps) {
              const auto& data = self.scorer.data();
              d["data"] = copy_array<float>(data.data, data.height, data.width);
              d["mask"] = copy_array<std::uint8_t>(self.scorer.mask().data, data.height, data.width);
              d["labels"] = copy_array<std::int32_t>(self.scorer.labels().data, data.height, data.width);
              d["signal"] = region_array(self.scorer.signal_region());
              d["lesion"] = region_array(self.scorer.lesion_region());
            }
            return d;
          },
          arg("frame"), py::kw_only(), arg("exposure_ms"), arg("gain_db"), arg("maps"));
}

}  // namespace pyicg::bindings
