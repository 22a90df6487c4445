#include "convert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <vector>

#include "arguments.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/packed_frame.hpp"

namespace pyicg::capi {
namespace {

constexpr bool same(pyicg_reason c, Reason cpp) {
  return static_cast<std::uint32_t>(c) == static_cast<std::uint32_t>(cpp);
}
static_assert(same(PYICG_REASON_NONE, Reason::none));
static_assert(same(PYICG_REASON_NO_PIXEL_SIZE, Reason::no_pixel_size));
static_assert(same(PYICG_REASON_NO_PREVALENCE, Reason::no_prevalence));
static_assert(same(PYICG_REASON_BACKGROUND_NOT_RESOLVED, Reason::background_not_resolved));
static_assert(same(PYICG_REASON_SATURATED_LOWER_BOUND, Reason::saturated_lower_bound));
static_assert(same(PYICG_REASON_UNCALIBRATED, Reason::uncalibrated));
static_assert(same(PYICG_REASON_OUT_OF_RANGE, Reason::out_of_range));
static_assert(same(PYICG_REASON_TOO_FEW_PIXELS, Reason::too_few_pixels));
static_assert(same(PYICG_REASON_NO_LESION, Reason::no_lesion));
static_assert(same(PYICG_REASON_NO_PLANE, Reason::no_plane));
static_assert(same(PYICG_REASON_SLICE_TOO_THICK, Reason::slice_too_thick));
static_assert(same(PYICG_REASON_EXTRAPOLATED, Reason::extrapolated));
static_assert(same(PYICG_REASON_NOT_STAR_SHAPED, Reason::not_star_shaped));
static_assert(same(PYICG_REASON_CLIPPED_BY_BORDER, Reason::clipped_by_border));
static_assert(same(PYICG_REASON_NO_SIGNAL, Reason::no_signal));
static_assert(same(PYICG_REASON_NO_ENCLOSED_CORE, Reason::no_enclosed_core));
static_assert(same(PYICG_REASON_BELOW_MIN_AREA, Reason::below_min_area));
static_assert(same(PYICG_REASON_NO_EXPOSURE, Reason::no_exposure));
static_assert(same(PYICG_REASON_STRADDLES_THRESHOLD, Reason::straddles_threshold));
static_assert(same(PYICG_REASON_NO_PHOTONS, Reason::no_photons));
static_assert(same(PYICG_REASON_NOT_SATURATED, Reason::not_saturated));
static_assert(same(PYICG_REASON_TOO_FEW_LEVELS, Reason::too_few_levels));
static_assert(same(PYICG_REASON_NO_SPATIAL_SERIES, Reason::no_spatial_series));
static_assert(same(PYICG_REASON_NO_EXPOSURES, Reason::no_exposures));
static_assert(same(PYICG_REASON_PLANE_NOT_FLAT, Reason::plane_not_flat));
static_assert(same(PYICG_REASON_PLANE_UNVERIFIED, Reason::plane_unverified));
static_assert(same(PYICG_REASON_NO_SIGN, Reason::no_sign));
static_assert(same(PYICG_REASON_NO_DISTANCE, Reason::no_distance));
static_assert(same(PYICG_REASON_TOO_FEW_CASES, Reason::too_few_cases));
static_assert(same(PYICG_REASON_TOO_FEW_EXPOSURES, Reason::too_few_exposures));
static_assert(same(PYICG_REASON_NO_RESPONSE, Reason::no_response));
static_assert(same(PYICG_REASON_NON_UNIFORMITY_NOT_RESOLVED, Reason::non_uniformity_not_resolved));
static_assert(same(PYICG_REASON_GAIN_NOT_CONSTANT, Reason::gain_not_constant));
static_assert(same(PYICG_REASON_QUANTISATION_LIMITED, Reason::quantisation_limited));
static_assert(same(PYICG_REASON_EMPTY_FIELD_LEFT_OUT, Reason::empty_field_left_out));
static_assert(same(PYICG_REASON_NOT_FINITE, Reason::not_finite));
static_assert(same(PYICG_REASON_NOT_LINEAR, Reason::not_linear));
static_assert(same(PYICG_REASON_UNEVEN_LIGHT, Reason::uneven_light));
static_assert(same(PYICG_REASON_EXPOSURE_INCONSISTENT, Reason::exposure_inconsistent));
static_assert(same(PYICG_REASON_OFFSET_DRIFT, Reason::offset_drift));
static_assert(same(PYICG_REASON_NOISE_CHANGED, Reason::noise_changed));
static_assert(same(PYICG_REASON_GAIN_CHANGED, Reason::gain_changed));
static_assert(same(PYICG_REASON_FLAT_CHANGED, Reason::flat_changed));
static_assert(same(PYICG_REASON_NEW_BAD_PIXELS, Reason::new_bad_pixels));
static_assert(same(PYICG_REASON_FEW_FRAMES, Reason::few_frames));
static_assert(same(PYICG_REASON_BACKGROUND_SATURATED, Reason::background_saturated));
static_assert(same(PYICG_REASON_FRAME_SATURATED, Reason::frame_saturated));
static_assert(same(PYICG_REASON_OUT_OF_FOCUS, Reason::out_of_focus));
static_assert(same(PYICG_REASON_MOTION_BLUR, Reason::motion_blur));
static_assert(same(PYICG_REASON_GLARE, Reason::glare));
static_assert(same(PYICG_REASON_OUTSIDE_SERIES, Reason::outside_series));
static_assert(same(PYICG_REASON_SIGNAL_CUT_OFF, Reason::signal_cut_off));
static_assert(same(PYICG_REASON_ELONGATED, Reason::elongated));
static_assert(same(PYICG_REASON_SATURATED_BLOB, Reason::saturated_blob));
static_assert(same(PYICG_REASON_HOT_PIXEL, Reason::hot_pixel));
static_assert(same(PYICG_REASON_DRAPE_EDGE, Reason::drape_edge));
static_assert(same(PYICG_REASON_NO_CLOSED_BOUNDARY, Reason::no_closed_boundary));
static_assert(same(PYICG_REASON_LOW_CONFIDENCE, Reason::low_confidence));
static_assert(same(PYICG_REASON_SLICE_MISSING, Reason::slice_missing));
static_assert(same(PYICG_REASON_LESION_SPLITS, Reason::lesion_splits));
static_assert(same(PYICG_REASON_OUTSIDE_TRAINING_RANGE, Reason::outside_training_range));
static_assert(same(PYICG_REASON_FEATURE_MISSING, Reason::feature_missing));
static_assert(same(PYICG_REASON_PROTOCOL_DIFFERS, Reason::protocol_differs));
static_assert(same(PYICG_REASON_SIGN_CONTRADICTS, Reason::sign_contradicts));
static_assert(same(PYICG_REASON_LESIONS_NOT_SOUGHT, Reason::lesions_not_sought));
static_assert(PYICG_REASON_LESIONS_NOT_SOUGHT + 1 == reason_count);

static_assert(int{PYICG_MASK_SATURATED} == int{mask_saturated});
static_assert(int{PYICG_MASK_UNDERFLOW} == int{mask_underflow});
static_assert(int{PYICG_MASK_BAD} == int{mask_bad});
static_assert(int{PYICG_MASK_EXCLUDED} == int{mask_excluded});
static_assert(int{PYICG_MASK_OUT_OF_RANGE} == int{mask_out_of_range});
static_assert(int{PYICG_MASK_REPAIRED} == int{mask_repaired});
static_assert(int{PYICG_MASK_NOT_FINITE} == int{mask_not_finite});

static_assert(int{PYICG_SIGN_NEGATIVE} == static_cast<int>(Sign::negative));
static_assert(int{PYICG_SIGN_POSITIVE} == static_cast<int>(Sign::positive));
static_assert(int{PYICG_SIGN_UNKNOWN} == static_cast<int>(Sign::unknown));
static_assert(int{PYICG_VIEW_BED} == static_cast<int>(View::bed));
static_assert(int{PYICG_VIEW_SECTION} == static_cast<int>(View::section));

static_assert(reason_count - 1 <= std::extent_v<decltype(pyicg_frame_score::reasons)>);  // none is no reason

template <class T>
std::vector<T> copy_map(const T* map, std::size_t size, const char* message) {
  require(aligned(map), message);
  return map == nullptr ? std::vector<T>{} : std::vector<T>(map, map + size);
}

// Rows of `row` bytes each, of which the first begins at a multiple of `alignment`.
void check_layout(const pyicg_frame& f, std::uint64_t row, std::uint64_t alignment) {
  require(reinterpret_cast<std::uintptr_t>(f.data) % alignment == 0,
          "the frame's data are not aligned as its pixel format needs");
  require(f.height <= most_bytes, "the frame is larger than memory can be");
  if (f.height <= 1) return;  // a single row has no stride
  const auto stride = static_cast<std::uint64_t>(f.stride_bytes);
  const std::uint64_t step = f.stride_bytes < 0 ? 0 - stride : stride;
  require(step >= row, "|stride_bytes| is less than a row of pixels");
  require(step % alignment == 0, "stride_bytes is not a multiple of the pixel's alignment");
  require(step == 0 || f.height - 1 <= most_bytes / step, "the frame is larger than memory can be");
}

template <class Pixel>
ImageView<const Pixel> frame_view(const pyicg_frame& f) {
  require(f.width <= most_bytes / sizeof(Pixel), "the frame is larger than memory can be");
  check_layout(f, f.width * sizeof(Pixel), alignof(Pixel));
  return {static_cast<const Pixel*>(f.data), static_cast<std::size_t>(f.height), static_cast<std::size_t>(f.width),
          static_cast<std::ptrdiff_t>(f.stride_bytes)};
}

ImageView<const std::uint16_t> unpacked_view(const pyicg_frame& f, Packing packing, const ProfileData& profile,
                                             std::vector<std::uint16_t>& unpacked) {
  require(f.width == 0 || f.height <= most_bytes / sizeof(std::uint16_t) / 16 / f.width,
          "the frame is larger than memory can be");
  const auto height = static_cast<std::size_t>(f.height);
  const auto width = static_cast<std::size_t>(f.width);
  const std::size_t row = packed_row_bytes(width, packing);
  check_layout(f, row, 1);
  if (height != profile.height || width != profile.width) return {unpacked.data(), height, width};
  unpacked.resize(height * width);
  const ImageView<std::uint16_t> out{unpacked.data(), height, width};
  unpack({static_cast<const std::uint8_t*>(f.data), height, row, static_cast<std::ptrdiff_t>(f.stride_bytes)}, packing,
         out);
  return out;
}

pyicg_measurement measurement(const Measurement& m) {
  return {m.value, m.sigma, m.lo, m.hi, static_cast<std::uint32_t>(m.reason), 0};
}

}  // namespace

ProfileData profile_data(const pyicg_profile_data& d) {
  // Profiles without pixels are the core's to refuse; here the product must not wrap.
  require(d.width == 0 || d.height <= most_bytes / sizeof(float) / d.width,
          "height x width is larger than memory can be");
  ProfileData p;
  p.height = static_cast<std::size_t>(d.height);
  p.width = static_cast<std::size_t>(d.width);
  const std::size_t size = p.height * p.width;
  p.dark = copy_map(d.dark, size, "dark is not aligned as float");
  p.dark_rate = copy_map(d.dark_rate, size, "dark_rate is not aligned as float");
  p.dark_sigma = copy_map(d.dark_sigma, size, "dark_sigma is not aligned as float");
  p.flat = copy_map(d.flat, size, "flat is not aligned as float");
  p.flat_sigma = copy_map(d.flat_sigma, size, "flat_sigma is not aligned as float");
  p.read_noise_map = copy_map(d.read_noise_map, size, "read_noise_map is not aligned as float");
  p.gain_map = copy_map(d.gain_map, size, "gain_map is not aligned as float");
  p.bad = copy_map(d.bad, size, "bad is not aligned");
  std::copy(std::begin(d.linearity), std::end(d.linearity), p.linearity.begin());
  require((d.linearity_table == nullptr) == (d.linearity_table_size == 0),
          "linearity_table and linearity_table_size disagree: expected NULL with 0, or a table with its size");
  require(d.linearity_table_size <= most_bytes / sizeof(double), "linearity_table is larger than memory can be");
  p.linearity_table = copy_map(d.linearity_table, static_cast<std::size_t>(d.linearity_table_size),
                               "linearity_table is not aligned as double");
  p.linearity_step_dn = d.linearity_step_dn;
  p.saturation_dn = d.saturation_dn;
  p.exposure_ms = d.exposure_ms;
  p.exposure_min_ms = d.exposure_min_ms;
  p.exposure_max_ms = d.exposure_max_ms;
  p.dark_mean_exposure_ms = d.dark_mean_exposure_ms;
  p.dark_exposure_sd_ms = d.dark_exposure_sd_ms;
  p.gain_db = d.gain_db;
  p.gain_dn_per_e = d.gain_dn_per_e;
  p.read_noise_dn = d.read_noise_dn;
  p.response_nm_per_dn_ms = d.response_nm_per_dn_ms;
  p.calibrated = d.calibrated != 0;
  return p;
}

ScorerOptions scorer_options(const pyicg_scorer_options& o) {
  require(o.view == PYICG_VIEW_BED || o.view == PYICG_VIEW_SECTION, "view is no pyicg_view");
  ScorerOptions options;
  options.view = o.view == PYICG_VIEW_BED ? View::bed : View::section;
  options.sbr_cut = o.sbr_cut;
  options.pixel_size_mm = o.pixel_size_mm;
  options.min_area_px = o.min_area_px;
  options.smooth_px = o.smooth_px;
  options.psf_sigma_px = o.psf_sigma_px;
  if (o.struct_size < sizeof o) return options;  // of the first version
  require(o.without_lesions <= 1, "without_lesions is neither 0 nor 1");
  options.lesions = o.without_lesions == 0;
  options.threads = std::max(o.threads, 1U);
  return options;
}

RawFrame raw_frame(const pyicg_frame& f, const ProfileData& profile, std::vector<std::uint16_t>& unpacked) {
  require(f.data != nullptr, "the frame's data are NULL");
  switch (f.pixel_format) {
    case PYICG_PIXEL_U8:
      return frame_view<std::uint8_t>(f);
    case PYICG_PIXEL_U16:
      return frame_view<std::uint16_t>(f);
    case PYICG_PIXEL_F32:
      return frame_view<float>(f);
    case PYICG_PIXEL_MONO10P:
      return unpacked_view(f, Packing::mono10p, profile, unpacked);
    case PYICG_PIXEL_MONO12P:
      return unpacked_view(f, Packing::mono12p, profile, unpacked);
    default:
      throw ArgumentError("pixel_format is no pyicg_pixel_format");
  }
}

pyicg_frame_score frame_score(const FrameScore& s) {
  const auto sign = [](Sign value) { return static_cast<std::uint32_t>(value); };
  pyicg_frame_score c{};
  c.calibrated = s.quality.calibrated ? 1 : 0;
  c.background_level = s.background.level;
  c.background_sigma = s.background.sigma;
  c.sbr = measurement(s.contrast.sbr);
  c.sbr_raw = measurement(s.contrast.sbr_raw);
  c.weber = measurement(s.contrast.weber);
  c.michelson = measurement(s.contrast.michelson);
  c.cnr = measurement(s.contrast.cnr);
  c.cvr = measurement(s.contrast.cvr);
  c.signal_level = measurement(s.contrast.signal_level);
  c.background = measurement(s.contrast.background_level);
  c.sign = sign(s.sign);
  c.sign_at_150 = sign(s.sign_at[0]);
  c.sign_at_175 = sign(s.sign_at[1]);
  c.sign_at_200 = sign(s.sign_at[2]);
  c.residual_area_px = s.residual_area_px;
  c.residual_area_mm2 = measurement(s.residual_area_mm2);
  c.saturated_fraction = s.quality.saturated_fraction;
  c.underflow_fraction = s.quality.underflow_fraction;
  c.focus = s.quality.focus;
  c.isotropy = s.quality.isotropy;
  c.glare_fraction = s.quality.glare_fraction;
  c.bad_pixels = s.quality.bad_pixels;
  c.repaired_pixels = s.quality.repaired_pixels;
  c.n_lesions = s.lesions.size();
  c.n_hot_spots = s.hot_spots.size();
  c.n_reasons = s.reasons.size();
  std::transform(s.reasons.begin(), s.reasons.end(), std::begin(c.reasons),
                 [](Reason r) { return static_cast<std::uint32_t>(r); });
  return c;
}

pyicg_frame_score no_score() {
  pyicg_frame_score c = frame_score({});
  c.residual_area_px = c.saturated_fraction = c.underflow_fraction = nan;
  return c;
}

pyicg_lesion lesion_of(const Lesion& l) {
  pyicg_lesion c{};
  c.centroid_y = l.centroid_y;
  c.centroid_x = l.centroid_x;
  c.area_px = l.area_px;
  c.completeness = l.completeness;
  c.confidence = l.confidence;
  c.correlation_px = l.correlation_px;
  c.area_mm2 = measurement(l.area_mm2);
  c.thickness_px = measurement(l.mean_thickness);
  c.thickness_mm = measurement(l.mean_thickness_mm);
  c.sbr = measurement(l.sbr);
  c.n_vertices = l.inner.size();
  c.not_star_shaped = l.not_star_shaped ? 1 : 0;
  c.clipped_by_border = l.clipped_by_border ? 1 : 0;
  return c;
}

}  // namespace pyicg::capi
