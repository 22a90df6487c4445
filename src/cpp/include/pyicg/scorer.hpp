// The corridor: one raw frame through calibrate, background, rim and contrast. A scorer owns its buffers and is used by
// one thread at a time; profiles are shared. Scoring a frame has no memory of the frames before it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/contrast.hpp"
#include "pyicg/frame_quality.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/residual.hpp"
#include "pyicg/rim.hpp"
#include "pyicg/runner.hpp"

namespace pyicg {

enum class View {
  bed,      // the tumour bed after resection: is anything over the SBR cut left?
  section,  // a cut face of the specimen: where is the tumour's edge?
};

struct ScorerOptions {
  View view = View::bed;
  double sbr_cut = 1.5;
  double pixel_size_mm = nan;
  double min_area_px = nan;  // NaN: default_min_area_px
  double smooth_px = 1.0;
  double psf_sigma_px = nan;
  bool lesions = true;  // look for rims; without (bed view only) it is faster, and all else has the same bits
  Threads threads;      // of one frame; the bits do not depend on it
};

// 1 mm^2, larger than the bile flecks that are no lesion, but no more than a quarter of a per cent of the frame: a
// microscope's field holds lesions under 1 mm^2. 64 px where no pixel size is known. Assumptions of ours.
double default_min_area_px(double pixel_size_mm, std::size_t frame_pixels);

inline constexpr std::array<double, 3> standard_cuts{1.5, 1.75, 2.0};

struct Quality {
  double saturated_fraction = 0;
  double underflow_fraction = 0;
  std::size_t bad_pixels = 0;
  std::size_t repaired_pixels = 0;
  double focus = nan;  // 1/px, see sharpness
  bool calibrated = false;
  double isotropy = nan;        // of the focus, see sharpness
  double glare_fraction = nan;  // see glare_fraction
};

struct FrameScore {
  CalibrationSummary calibration;
  Background background;
  Contrast contrast;
  Sign sign = Sign::unknown;  // at the SBR cut asked for; section view: unknown
  std::array<Sign, 3> sign_at{Sign::unknown, Sign::unknown, Sign::unknown};  // at standard_cuts
  double residual_area_px = 0;
  Measurement residual_area_mm2;
  std::vector<HotSpot> hot_spots;
  std::vector<Lesion> lesions;
  std::vector<Rejected> rejected;
  Quality quality;
  std::vector<Reason> reasons;  // everything that limits this frame, in order of the enumeration
};

class Scorer {
 public:
  // Throws Error(input or unit) for options out of range.
  Scorer(std::shared_ptr<const Profile> profile, const ScorerOptions& options);

  // The reference stays valid until the next call.
  const FrameScore& score(const RawFrame& frame, const Exposure& exposure);

  [[nodiscard]] const Profile& profile() const { return *profile_; }
  [[nodiscard]] const FrameScore& last() const { return score_; }
  [[nodiscard]] CalibratedView frame() const;
  [[nodiscard]] ImageView<const float> data() const;
  [[nodiscard]] ImageView<const std::uint8_t> mask() const;
  [[nodiscard]] ImageView<const std::int32_t> labels() const;  // no data without lesions
  [[nodiscard]] ImageView<const std::uint8_t> signal_region() const;
  // Everything over the SBR cut, rims and their cores: what is no background. Made when asked for; without lesions
  // their cores are not known.
  [[nodiscard]] ImageView<const std::uint8_t> lesion_region();

 private:
  void score_bed();
  void score_section();
  void clear_region();
  void judge_picture();
  void finish();
  void forget();

  std::shared_ptr<const Profile> profile_;
  ScorerOptions options_;
  RimOptions rim_options_;
  std::vector<float> data_;
  std::vector<std::uint8_t> mask_;
  std::vector<std::uint8_t> region_;
  PixelBox region_box_;  // outside it region_ is 0
  std::vector<std::uint8_t> lesion_;
  std::vector<float> variance_;  // empty where the profile does not know the noise
  BackgroundWorkspace background_ws_;
  RimWorkspace ws_;
  QualityWorkspace quality_ws_;
  FrameScore score_;
  // Memory ran out amid a frame: buffers may be half grown or hold marks of it, and are made anew for the next one.
  bool unsound_ = false;
};

}  // namespace pyicg
