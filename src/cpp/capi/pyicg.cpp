// The C interface over the core. Arguments are checked here, and here exceptions become status codes.
#include "pyicg/pyicg.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/profile.hpp"
#include "pyicg/rim.hpp"
#include "pyicg/scorer.hpp"
#include "pyicg/version.hpp"

struct pyicg_profile {
  std::shared_ptr<const pyicg::Profile> shared;
};

struct pyicg_scorer {
  pyicg::Scorer core;
  bool scored = false;  // there is a last score to read
};

namespace {

using pyicg::Reason;

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
static_assert(PYICG_REASON_LESIONS_NOT_SOUGHT + 1 == pyicg::reason_count);

static_assert(int{PYICG_MASK_SATURATED} == int{pyicg::mask_saturated});
static_assert(int{PYICG_MASK_UNDERFLOW} == int{pyicg::mask_underflow});
static_assert(int{PYICG_MASK_BAD} == int{pyicg::mask_bad});
static_assert(int{PYICG_MASK_EXCLUDED} == int{pyicg::mask_excluded});
static_assert(int{PYICG_MASK_OUT_OF_RANGE} == int{pyicg::mask_out_of_range});
static_assert(int{PYICG_MASK_REPAIRED} == int{pyicg::mask_repaired});
static_assert(int{PYICG_MASK_NOT_FINITE} == int{pyicg::mask_not_finite});

static_assert(int{PYICG_SIGN_NEGATIVE} == static_cast<int>(pyicg::Sign::negative));
static_assert(int{PYICG_SIGN_POSITIVE} == static_cast<int>(pyicg::Sign::positive));
static_assert(int{PYICG_SIGN_UNKNOWN} == static_cast<int>(pyicg::Sign::unknown));
static_assert(int{PYICG_VIEW_BED} == static_cast<int>(pyicg::View::bed));
static_assert(int{PYICG_VIEW_SECTION} == static_cast<int>(pyicg::View::section));

static_assert(pyicg::reason_count - 1 <= std::extent_v<decltype(pyicg_frame_score::reasons)>);  // none is no reason

// The caller broke the rules of pyicg.h.
class ArgumentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

void require(bool ok, const char* message) {
  if (!ok) throw ArgumentError(message);
}

// `first_size` is the size of the struct's first version: every later one begins with the same members.
template <class Struct>
void require_struct(const Struct* s, const char* name, std::size_t first_size = sizeof(Struct)) {
  if (s == nullptr) throw ArgumentError(std::string(name) + " is NULL");
  if (s->struct_size < first_size) {
    throw ArgumentError("struct_size of " + std::string(name) + " is " + std::to_string(s->struct_size) +
                        ", expected at least " + std::to_string(first_size) + "; set it to sizeof the struct");
  }
}

pyicg_status fail(pyicg_error* error, pyicg_status status, const char* message) noexcept {
  if (error != nullptr) {
    error->status = static_cast<std::uint32_t>(status);
    const std::size_t length = std::min(std::strlen(message), sizeof(error->message) - 1);
    std::memcpy(error->message, message, length);
    error->message[length] = '\0';
  }
  return status;
}

pyicg_status status_of(pyicg::ErrorKind kind) noexcept {
  switch (kind) {
    case pyicg::ErrorKind::input:
      return PYICG_ERROR_INPUT;
    case pyicg::ErrorKind::profile:
      return PYICG_ERROR_PROFILE;
    case pyicg::ErrorKind::unit:
      return PYICG_ERROR_UNIT;
  }
  return PYICG_ERROR_INTERNAL;
}

// Runs work; whatever it throws becomes a status and a message.
template <class Work>
pyicg_status guarded(pyicg_error* error, const Work& work) noexcept {
  if (error != nullptr && error->struct_size < sizeof(pyicg_error)) return PYICG_ERROR_ARGUMENT;
  try {
    work();
    return PYICG_OK;
  } catch (const ArgumentError& e) {
    return fail(error, PYICG_ERROR_ARGUMENT, e.what());
  } catch (const pyicg::Error& e) {
    return fail(error, status_of(e.kind()), e.what());
  } catch (const std::bad_alloc&) {
    return fail(error, PYICG_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return fail(error, PYICG_ERROR_INTERNAL, e.what());
  } catch (...) {
    return fail(error, PYICG_ERROR_INTERNAL, "unknown failure");
  }
}

template <class T>
bool aligned(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0;
}

// The largest number of bytes an array can have.
constexpr auto most_bytes = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());

template <class T>
std::vector<T> copy_map(const T* map, std::size_t size, const char* message) {
  require(aligned(map), message);
  return map == nullptr ? std::vector<T>{} : std::vector<T>(map, map + size);
}

pyicg::ProfileData profile_data(const pyicg_profile_data& d) {
  // Profiles without pixels are the core's to refuse; here the product must not wrap.
  require(d.width == 0 || d.height <= most_bytes / sizeof(float) / d.width,
          "height x width is larger than memory can be");
  pyicg::ProfileData p;
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

pyicg::ScorerOptions scorer_options(const pyicg_scorer_options& o) {
  require(o.view == PYICG_VIEW_BED || o.view == PYICG_VIEW_SECTION, "view is no pyicg_view");
  pyicg::ScorerOptions options;
  options.view = o.view == PYICG_VIEW_BED ? pyicg::View::bed : pyicg::View::section;
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

template <class Pixel>
pyicg::ImageView<const Pixel> frame_view(const pyicg_frame& f) {
  const auto* const data = static_cast<const Pixel*>(f.data);
  require(aligned(data), "the frame's data are not aligned as its pixel format needs");
  require(f.width <= most_bytes / sizeof(Pixel) && f.height <= most_bytes, "the frame is larger than memory can be");
  if (f.height > 1) {  // a single row has no stride
    const auto stride = static_cast<std::uint64_t>(f.stride_bytes);
    const std::uint64_t step = f.stride_bytes < 0 ? 0 - stride : stride;
    require(step >= f.width * sizeof(Pixel), "|stride_bytes| is less than a row of pixels");
    require(step % alignof(Pixel) == 0, "stride_bytes is not a multiple of the pixel's alignment");
    require(step == 0 || f.height - 1 <= most_bytes / step, "the frame is larger than memory can be");
  }
  return {data, static_cast<std::size_t>(f.height), static_cast<std::size_t>(f.width),
          static_cast<std::ptrdiff_t>(f.stride_bytes)};
}

pyicg::RawFrame raw_frame(const pyicg_frame& f) {
  require(f.data != nullptr, "the frame's data are NULL");
  switch (f.pixel_format) {
    case PYICG_PIXEL_U8:
      return frame_view<std::uint8_t>(f);
    case PYICG_PIXEL_U16:
      return frame_view<std::uint16_t>(f);
    case PYICG_PIXEL_F32:
      return frame_view<float>(f);
    default:
      throw ArgumentError("pixel_format is no pyicg_pixel_format");
  }
}

pyicg_measurement measurement(const pyicg::Measurement& m) {
  return {m.value, m.sigma, m.lo, m.hi, static_cast<std::uint32_t>(m.reason), 0};
}

pyicg_frame_score frame_score(const pyicg::FrameScore& s) {
  const auto sign = [](pyicg::Sign value) { return static_cast<std::uint32_t>(value); };
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

pyicg_lesion lesion_of(const pyicg::Lesion& l) {
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

// Writes at(0), at(1), ... of the `there` elements there are, as far as they fit.
template <class Out, class At>
pyicg_status fill(std::size_t there, Out* array, std::uint64_t capacity, std::uint64_t* count, const At& at) noexcept {
  if (count == nullptr || (array == nullptr && capacity > 0) || !aligned(array)) return PYICG_ERROR_ARGUMENT;
  *count = there;
  const auto fits = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, there));
  for (std::size_t i = 0; i < fits; ++i) array[i] = at(i);
  return fits < there ? PYICG_TRUNCATED : PYICG_OK;
}

}  // namespace

uint32_t pyicg_abi_version() noexcept { return PYICG_ABI_VERSION; }

const char* pyicg_version_string() noexcept { return pyicg::version(); }

const char* pyicg_status_string(uint32_t status) noexcept {
  static constexpr std::array<const char*, 8> names = {"ok",           "truncated",     "error_argument",
                                                       "error_input",  "error_profile", "error_unit",
                                                       "error_memory", "error_internal"};
  return status < names.size() ? names[status] : nullptr;
}

const char* pyicg_reason_string(uint32_t reason) noexcept { return pyicg::reason_name(static_cast<Reason>(reason)); }

pyicg_status pyicg_profile_create(const pyicg_profile_data* data, pyicg_profile** out, pyicg_error* error) noexcept {
  return guarded(error, [&] {
    require(out != nullptr, "out is NULL");
    *out = nullptr;
    require_struct(data, "data");
    auto handle = std::make_unique<pyicg_profile>();
    handle->shared = std::make_shared<const pyicg::Profile>(profile_data(*data));
    *out = handle.release();
  });
}

void pyicg_profile_destroy(pyicg_profile* profile) noexcept { std::default_delete<pyicg_profile>{}(profile); }

pyicg_status pyicg_scorer_create(const pyicg_profile* profile, const pyicg_scorer_options* options, pyicg_scorer** out,
                                 pyicg_error* error) noexcept {
  return guarded(error, [&] {
    require(out != nullptr, "out is NULL");
    *out = nullptr;
    require(profile != nullptr, "profile is NULL");
    require_struct(options, "options", offsetof(pyicg_scorer_options, without_lesions));
    const pyicg::ScorerOptions checked = scorer_options(*options);
    auto handle = std::make_unique<pyicg_scorer>(pyicg_scorer{pyicg::Scorer(profile->shared, checked)});
    *out = handle.release();
  });
}

void pyicg_scorer_destroy(pyicg_scorer* scorer) noexcept { std::default_delete<pyicg_scorer>{}(scorer); }

pyicg_status pyicg_scorer_score(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                                pyicg_error* error) noexcept {
  return guarded(error, [&] {
    require(scorer != nullptr, "scorer is NULL");
    scorer->scored = false;
    require_struct(frame, "frame");
    require_struct(out, "out", offsetof(pyicg_frame_score, isotropy));
    const pyicg::FrameScore& score = scorer->core.score(raw_frame(*frame), {frame->exposure_ms, frame->gain_db});
    pyicg_frame_score result = frame_score(score);
    result.struct_size = out->struct_size;
    result.timestamp_ns = frame->timestamp_ns;
    std::memcpy(out, &result, std::min<std::size_t>(out->struct_size, sizeof result));  // as much as the caller has
    scorer->scored = true;
  });
}

// Before a first score and after one that failed there is nothing to read: every count is 0.

pyicg_status pyicg_scorer_lesions(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity,
                                  uint64_t* count) noexcept {
  if (scorer == nullptr) return PYICG_ERROR_ARGUMENT;
  const std::vector<pyicg::Lesion>& lesions = scorer->core.last().lesions;
  return fill(scorer->scored ? lesions.size() : 0, array, capacity, count,
              [&](std::size_t i) { return lesion_of(lesions[i]); });
}

pyicg_status pyicg_scorer_hot_spots(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                    uint64_t* count) noexcept {
  if (scorer == nullptr) return PYICG_ERROR_ARGUMENT;
  const std::vector<pyicg::HotSpot>& spots = scorer->core.last().hot_spots;
  return fill(scorer->scored ? spots.size() : 0, array, capacity, count, [&](std::size_t i) {
    const pyicg::HotSpot& h = spots[i];
    return pyicg_hot_spot{h.peak_sbr, h.peak_y, h.peak_x, h.area_px};
  });
}

pyicg_status pyicg_scorer_contour(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx, uint64_t capacity,
                                  uint64_t* count) noexcept {
  if (scorer == nullptr || !scorer->scored || (outer != 0 && outer != 1)) return PYICG_ERROR_ARGUMENT;
  const std::vector<pyicg::Lesion>& lesions = scorer->core.last().lesions;
  if (lesion >= lesions.size()) return PYICG_ERROR_ARGUMENT;
  const pyicg::Lesion& found = lesions[static_cast<std::size_t>(lesion)];
  const std::vector<pyicg::Vertex>& vertices = outer != 0 ? found.outer : found.inner;
  return fill(2 * vertices.size(), yx, capacity, count,
              [&](std::size_t i) { return i % 2 == 0 ? vertices[i / 2].y : vertices[i / 2].x; });
}

pyicg_status pyicg_scorer_data(const pyicg_scorer* scorer, float* array, uint64_t capacity, uint64_t* count) noexcept {
  if (scorer == nullptr) return PYICG_ERROR_ARGUMENT;
  const pyicg::ImageView<const float> view = scorer->core.data();
  return fill(scorer->scored ? view.size() : 0, array, capacity, count, [&](std::size_t i) { return view.data[i]; });
}

pyicg_status pyicg_scorer_mask(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity,
                               uint64_t* count) noexcept {
  if (scorer == nullptr) return PYICG_ERROR_ARGUMENT;
  const pyicg::ImageView<const std::uint8_t> view = scorer->core.mask();
  return fill(scorer->scored ? view.size() : 0, array, capacity, count, [&](std::size_t i) { return view.data[i]; });
}
