#include "pyicg/scorer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "detail/bright.hpp"
#include "detail/parallel.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

template <class T>
ImageView<T> part(const ImageView<T>& whole, const PixelBox& box) {
  if (whole.data == nullptr) return {nullptr, box.y1 - box.y0, box.x1 - box.x0};
  return {whole.row(box.y0) + box.x0, box.y1 - box.y0, box.x1 - box.x0, whole.stride_bytes};
}

// Less than a fifth is seen: an absent sign says nothing then, what was not seen may glow. A present one stands. The
// share is assumed; the round picture of an endoscope fills 44 % of a 16:9 frame.
bool mostly_unseen(const CalibrationSummary& c, std::size_t pixels) { return 5 * (pixels - c.not_finite) < pixels; }

}  // namespace

double default_min_area_px(double pixel_size_mm, std::size_t frame_pixels) {
  if (std::isnan(pixel_size_mm)) return 64;
  const double of_frame = std::max(0.0025 * static_cast<double>(frame_pixels), 64.0);
  return std::max(std::min(1 / (pixel_size_mm * pixel_size_mm), of_frame), 9.0);
}

Scorer::Scorer(std::shared_ptr<const Profile> profile, const ScorerOptions& options)
    : profile_(std::move(profile)), options_(options) {
  if (!profile_) throw Error(ErrorKind::profile, "a scorer needs a profile");
  if (std::isnan(options_.min_area_px)) {
    const std::size_t pixels = profile_->data().height * profile_->data().width;
    options_.min_area_px = default_min_area_px(options_.pixel_size_mm, pixels);
  }
  rim_options_.sbr_cut = options_.sbr_cut;
  rim_options_.min_area_px = options_.min_area_px;
  rim_options_.smooth_px = options_.smooth_px;
  rim_options_.psf_sigma_px = options_.psf_sigma_px;
  rim_options_.pixel_size_mm = options_.pixel_size_mm;
  rim_options_.carried = profile_->data().calibrated ? Reason::none : Reason::uncalibrated;
  check(rim_options_);
  if (options_.view == View::section && !options_.lesions) {
    throw Error(ErrorKind::input, "a section's signal is its rims: lesions can be left out in the bed view only");
  }
  const std::size_t size = profile_->data().height * profile_->data().width;
  data_.resize(size);
  mask_.resize(size);
  region_.resize(size);
  if (profile_->has_variance()) variance_.resize(size);
}

CalibratedView Scorer::frame() const {
  const std::size_t height = profile_->data().height;
  const std::size_t width = profile_->data().width;
  const float* variance = variance_.empty() ? nullptr : variance_.data();
  return {data(), mask(), {variance, height, width}, score_.calibration.step};
}
ImageView<const float> Scorer::data() const { return {data_.data(), profile_->data().height, profile_->data().width}; }
ImageView<const std::uint8_t> Scorer::mask() const {
  return {mask_.data(), profile_->data().height, profile_->data().width};
}
ImageView<const std::int32_t> Scorer::labels() const {
  return {ws_.labels.data(), profile_->data().height, profile_->data().width};
}
ImageView<const std::uint8_t> Scorer::signal_region() const {
  return {region_.data(), profile_->data().height, profile_->data().width};
}

ImageView<const std::uint8_t> Scorer::lesion_region() {
  const ImageView<std::uint8_t> lesion = detail::plane(lesion_, profile_->data().height, profile_->data().width);
  std::fill(lesion_.begin(), lesion_.end(), std::uint8_t{0});
  if (score_.background.reason != Reason::none) return lesion;
  if (options_.view == View::bed) {
    mark_residual(options_.min_area_px, lesion, ws_);
  } else {
    std::copy(ws_.bright.begin(), ws_.bright.end(), lesion_.begin());
  }
  for (std::size_t i = 0; i < lesion_.size(); ++i) lesion_[i] |= region_[i];
  if (!options_.lesions) return lesion;
  for (std::size_t i = 0; i < lesion_.size(); ++i) {
    if (ws_.labels[i] != 0) lesion_[i] = 1;
  }
  return lesion;
}

const FrameScore& Scorer::score(const RawFrame& frame, const Exposure& exposure) {
  const std::size_t height = profile_->data().height;
  const std::size_t width = profile_->data().width;
  // The last frame's lists lend this one their memory.
  RimResult rims{std::move(score_.lesions), std::move(score_.rejected)};
  FrameScore next;
  next.hot_spots = std::move(score_.hot_spots);
  next.hot_spots.clear();
  next.reasons = std::move(score_.reasons);
  next.reasons.clear();
  score_ = std::move(next);
  CalibrationOptions calibration;
  calibration.threads = options_.threads;
  score_.calibration =
      calibrate(frame, *profile_, exposure, {data_.data(), height, width}, {mask_.data(), height, width},
                {variance_.empty() ? nullptr : variance_.data(), height, width}, calibration);
  if (unsound_) forget();
  unsound_ = true;
  clear_region();
  // Side by side: what writes nothing that the other reads or writes.
  detail::both(
      options_.threads, [&] { score_.background = estimate_background(this->frame(), {}, background_ws_); },
      [&] { smooth_frame(data(), mask(), options_.smooth_px, ws_); });
  detail::both(
      options_.threads,
      [&] {
        if (options_.lesions) segment_rim(data(), mask(), score_.background, rim_options_, ws_, rims);
      },
      [&] {
        if (options_.view == View::bed) score_bed();
        judge_picture();
      });
  score_.lesions = std::move(rims.lesions);
  score_.rejected = std::move(rims.rejected);
  if (options_.view == View::section) score_section();
  finish();
  unsound_ = false;
  return score_;
}

void Scorer::forget() {
  background_ws_ = BackgroundWorkspace();
  ws_ = RimWorkspace();
  quality_ws_ = QualityWorkspace();
  std::fill(region_.begin(), region_.end(), std::uint8_t{0});
  region_box_ = {};
}

void Scorer::score_bed() {
  score_.residual_area_mm2 = Measurement::undefined(Reason::no_pixel_size);
  if (score_.background.reason != Reason::none) {
    score_.residual_area_px = nan;
    score_.residual_area_mm2 = Measurement::undefined(score_.background.reason);
    return;
  }
  Residual residual;
  residual.hot_spots = std::move(score_.hot_spots);
  const auto find_at = [&](double cut) {
    residual_fluorescence(mask(), score_.background, cut, options_.min_area_px, options_.smooth_px, ws_, residual);
  };
  // The cut that was asked for last, once: its regions are kept.
  for (std::size_t i = 0; i < standard_cuts.size(); ++i) {
    if (standard_cuts.at(i) == options_.sbr_cut) continue;
    find_at(standard_cuts.at(i));
    score_.sign_at.at(i) = fluorescent_sign(residual);
  }
  find_at(options_.sbr_cut);
  score_.sign = fluorescent_sign(residual);
  for (std::size_t i = 0; i < standard_cuts.size(); ++i) {
    if (standard_cuts.at(i) == options_.sbr_cut) score_.sign_at.at(i) = score_.sign;
  }
  score_.residual_area_px = residual.area_px;
  const double px = options_.pixel_size_mm;
  if (!std::isnan(px)) score_.residual_area_mm2 = {residual.area_px * px * px, nan, nan, nan, Reason::none};
  score_.hot_spots = std::move(residual.hot_spots);
  // The signal of the frame: the brightest region's pixels over half its peak, and of those the deep half.
  if (!score_.hot_spots.empty()) {
    const HotSpot& top = score_.hot_spots.front();
    const double half = score_.background.level * (1 + 0.5 * (top.peak_sbr - 1));
    const ImageView<std::uint8_t> region{region_.data(), profile_->data().height, profile_->data().width};
    region_box_ = mark_spot(top, half, region, ws_);
    keep_deep_half(part(region, region_box_), ws_);
  }
}

void Scorer::score_section() {
  score_.residual_area_px = nan;
  score_.residual_area_mm2 = Measurement::undefined(Reason::no_signal);
  // The signal of a section: the middle of its rims.
  const std::size_t height = profile_->data().height;
  const std::size_t width = profile_->data().width;
  std::copy(ws_.rim_mask.begin(), ws_.rim_mask.end(), region_.begin());
  region_box_ = {0, 0, height, width};
  keep_deep_half({region_.data(), height, width}, ws_);
}

// Of the last frame's signal.
void Scorer::clear_region() {
  const ImageView<std::uint8_t> old =
      part(ImageView<std::uint8_t>{region_.data(), profile_->data().height, profile_->data().width}, region_box_);
  for (std::size_t y = 0; y < old.height; ++y) std::fill_n(old.row(y), old.width, std::uint8_t{0});
  region_box_ = {};
}

// Glare and sharpness.
void Scorer::judge_picture() {
  const double bright = detail::bright_level(score_.background, options_.sbr_cut, options_.smooth_px);
  const ImageView<const float> smooth{ws_.smooth.data(), profile_->data().height, profile_->data().width};
  score_.quality.glare_fraction = glare_fraction(data(), mask(), smooth, bright, options_.min_area_px, quality_ws_);
  const Sharpness sharp = sharpness(data(), mask(), quality_ws_);
  score_.quality.focus = sharp.focus;
  score_.quality.isotropy = sharp.isotropy;
}

void Scorer::finish() {
  const CalibrationSummary& c = score_.calibration;
  const bool calibrated = profile_->data().calibrated;
  // Nothing of the signal lies outside its box.
  const CalibratedView whole = frame();
  const CalibratedView boxed{part(whole.data, region_box_), part(whole.mask, region_box_),
                             part(whole.variance, region_box_), whole.step};
  const RegionStats signal = region_stats(boxed, part(signal_region(), region_box_), 0, background_ws_);
  score_.contrast = contrast(signal, score_.background, c.offset, calibrated ? Reason::none : Reason::uncalibrated);
  if (signal.n == 0 && !std::isnan(score_.background.level)) {
    const Reason why = score_.background.reason == Reason::none ? Reason::no_signal : score_.background.reason;
    Contrast& k = score_.contrast;
    for (Measurement* m : {&k.sbr, &k.sbr_raw, &k.weber, &k.michelson, &k.cnr, &k.cvr, &k.signal_level}) {
      *m = Measurement::undefined(why);
    }
  }
  const auto size = static_cast<double>(data_.size());
  score_.quality.saturated_fraction = static_cast<double>(c.saturated) / size;
  score_.quality.underflow_fraction = static_cast<double>(c.underflow) / size;
  score_.quality.bad_pixels = c.bad;
  score_.quality.repaired_pixels = c.repaired;
  score_.quality.calibrated = calibrated;

  std::array<bool, reason_count> holds{};
  const auto add = [&](Reason r) { holds.at(static_cast<std::size_t>(r)) = true; };
  add(score_.background.reason);
  add(score_.contrast.sbr.reason);
  if (!calibrated) add(Reason::uncalibrated);
  if (score_.background.empty_field) add(Reason::empty_field_left_out);
  if (c.not_finite > 0) add(Reason::not_finite);
  if (c.out_of_range) add(Reason::out_of_range);
  if (std::isnan(score_.background.level) && c.saturated > 0) add(Reason::saturated_lower_bound);
  if (std::isnan(c.exposure_ms)) add(Reason::no_exposure);
  if (std::isnan(options_.pixel_size_mm)) add(Reason::no_pixel_size);
  if (options_.view == View::section && score_.lesions.empty()) add(Reason::no_lesion);
  if (!options_.lesions) add(Reason::lesions_not_sought);
  if (options_.view == View::bed && score_.sign == Sign::unknown && score_.background.reason == Reason::none) {
    add(Reason::saturated_lower_bound);
  }
  if (mostly_unseen(c, data_.size())) {
    add(Reason::too_few_pixels);
    if (score_.sign == Sign::negative) score_.sign = Sign::unknown;
    std::replace(score_.sign_at.begin(), score_.sign_at.end(), Sign::negative, Sign::unknown);
  }
  for (std::uint32_t r = 1; r < reason_count; ++r) {
    if (holds.at(r)) score_.reasons.push_back(static_cast<Reason>(r));
  }
}

}  // namespace pyicg
