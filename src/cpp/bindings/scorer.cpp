#include "pyicg/scorer.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>

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

// Where the maps of a frame go: null where one was not asked for.
struct Maps {
  float* data;
  std::uint8_t* mask;
  std::int32_t* labels;
  bool* signal;
  bool* lesion;
};

// The array's own memory, which scorer.py has checked to be free for it.
template <class T>
T* target(const py::dict& maps, const char* name, const Profile& profile) {
  if (!maps.contains(name)) return nullptr;
  const py::object map = maps[name];
  const auto pixels = static_cast<py::ssize_t>(profile.data().height * profile.data().width);
  if (!py::isinstance<py::array_t<T, py::array::c_style>>(map) || map.cast<py::array>().size() != pixels) {
    throw Error(ErrorKind::input, std::string("the array for ") + name + " does not fit the frame");
  }
  return py::array_t<T, py::array::c_style>(map).mutable_data();  // raises when read-only
}

void copy_maps(Scorer& scorer, const Maps& maps) {
  const auto copy = [](const auto& view, auto* to) {
    using To = std::remove_pointer_t<decltype(to)>;
    if constexpr (std::is_same_v<To, bool>) {
      std::transform(view.data, view.data + view.size(), to, [](std::uint8_t v) { return v != 0; });
    } else {
      std::copy(view.data, view.data + view.size(), to);
    }
  };
  if (maps.data != nullptr) copy(scorer.data(), maps.data);
  if (maps.mask != nullptr) copy(scorer.mask(), maps.mask);
  if (maps.labels != nullptr) copy(scorer.labels(), maps.labels);
  if (maps.signal != nullptr) copy(scorer.signal_region(), maps.signal);
  if (maps.lesion != nullptr) copy(scorer.lesion_region(), maps.lesion);
}

// A scorer belongs to one thread at a time; a second one that calls meanwhile waits instead of racing.
struct GuardedScorer {
  GuardedScorer(std::shared_ptr<const Profile> profile, const ScorerOptions& options)
      : scorer(std::move(profile), options) {}
  Scorer scorer;
  std::mutex mutex;
};

std::unique_ptr<GuardedScorer> make_scorer(std::shared_ptr<Profile> profile, const std::string& view, double sbr_cut,
                                           double pixel_size_mm, bool lesions, unsigned threads) {
  if (view != "bed" && view != "section") {
    throw Error(ErrorKind::input, "view must be \"bed\" or \"section\", found \"" + view + "\"");
  }
  ScorerOptions options;
  options.view = view == "bed" ? View::bed : View::section;
  options.sbr_cut = sbr_cut;
  options.pixel_size_mm = pixel_size_mm;
  options.lesions = lesions;
  options.threads = threads;
  return std::make_unique<GuardedScorer>(std::move(profile), options);
}

}  // namespace

void bind_scorer(py::module_& m) {
  using py::arg;
  m.def("default_min_area_px", &default_min_area_px, arg("pixel_size_mm"), arg("frame_pixels"));
  py::class_<GuardedScorer>(m, "Scorer")
      .def(py::init(&make_scorer), arg("profile"), py::kw_only(), arg("view"), arg("sbr_cut"), arg("pixel_size_mm"),
           arg("lesions"), arg("threads"))
      .def(
          "score",
          [](GuardedScorer& self, const py::array& frame, double exposure_ms, double gain_db, const py::dict& maps) {
            const RawFrame raw = raw_frame(frame);
            const Profile& profile = self.scorer.profile();
            const Maps to{target<float>(maps, "data", profile), target<std::uint8_t>(maps, "mask", profile),
                          target<std::int32_t>(maps, "labels", profile), target<bool>(maps, "signal", profile),
                          target<bool>(maps, "lesion", profile)};
            const py::gil_scoped_release release;
            const std::lock_guard lock(self.mutex);
            const FrameScore& score = self.scorer.score(raw, {exposure_ms, gain_db});
            copy_maps(self.scorer, to);
            const py::gil_scoped_acquire acquire;
            return score_dict(score);
          },
          arg("frame"), py::kw_only(), arg("exposure_ms"), arg("gain_db"), arg("maps"));
}

}  // namespace pyicg::bindings
