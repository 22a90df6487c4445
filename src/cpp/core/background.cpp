#include "pyicg/background.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "../kernels/rank_rows.hpp"
#include "../kernels/tile_rows.hpp"
#include "background_parts.hpp"
#include "detail/distance_field.hpp"
#include "detail/select.hpp"
#include "pyicg/error.hpp"

namespace pyicg {

BackgroundWorkspace::BackgroundWorkspace() : buffers_(std::make_unique<Buffers>()) {}
BackgroundWorkspace::BackgroundWorkspace(BackgroundWorkspace&&) noexcept = default;
BackgroundWorkspace& BackgroundWorkspace::operator=(BackgroundWorkspace&&) noexcept = default;
BackgroundWorkspace::~BackgroundWorkspace() = default;

namespace {

using Buffers = BackgroundWorkspace::Buffers;

constexpr float float_infinity = std::numeric_limits<float>::infinity();

bool is_around_lesion(BackgroundPolicy policy) {
  return policy == BackgroundPolicy::annulus || policy == BackgroundPolicy::distant;
}

bool holds(ImageView<const std::uint8_t> mask, std::size_t y, std::size_t x) { return mask(y, x) != 0; }

// Counts what the mask of a row leaves out.
void count_left_out(const float* data, const std::uint8_t* mask, std::size_t width, Selection& s) {
  for (std::size_t x = 0; x < width; ++x) {
    const std::uint8_t bits = mask[x];
    if ((bits & mask_left_out) == 0) continue;
    s.bits |= bits;
    s.zeros += (bits & mask_underflow) != 0;
    if ((bits & mask_saturated) != 0) {
      ++s.saturated;
      if (static_cast<double>(data[x]) < s.least_saturated) s.least_saturated = static_cast<double>(data[x]);
    }
  }
}

Selection count_pixels(const CalibratedView& frame) {
  Selection s;
  s.frame = frame;
  kernels::RowCounts counts;
  for (std::size_t y = 0; y < frame.data.height; ++y) {
    const float* data = frame.data.row(y);
    const std::uint8_t* mask = frame.mask.row(y);
    if (kernels::tile_kernels().count(data, mask, mask_left_out, float_infinity, frame.data.width, &counts)) {
      count_left_out(data, mask, frame.data.width, s);
    }
  }
  s.n = counts.usable;
  // Noise around a level near zero goes below it as often as it meets it: zeros then are counts like any other.
  s.exact_zeros = counts.negative > counts.zeros / 10 ? 0 : counts.zeros;
  s.zeros += s.exact_zeros;
  return s;
}

// Calls visit(y, values) with the usable pixels of every row; the others are NaN.
template <class Visit>
void each_row(const CalibratedView& frame, Buffers& ws, const Visit& visit) {
  const detail::UsablePixels usable(frame);
  for (std::size_t y = 0; y < frame.data.height; ++y) {
    usable.row(y, ws.tiles.picked);
    visit(y, ws.tiles.picked);
  }
}

// What a second look at the usable pixels tells.
struct Scatter {
  detail::Correlation correlation;  // of their influences on a level
  double noise = nan;               // mean camera noise of those within bounds; NaN where the frame's is not known
};

// `set(values, influences)` turns a row of values into influences; NaN stays NaN.
template <class Set>
Scatter scatter(const CalibratedView& frame, double lo, double hi, Buffers& ws, const Set& set) {
  const bool noise_known = frame.variance.data != nullptr;
  kernels::NoiseSum noise{};
  ws.blocks.reset(frame.data.height, frame.data.width, 2);
  ws.influences.resize(frame.data.width);
  each_row(frame, ws, [&](std::size_t y, const std::vector<float>& values) {
    set(values, ws.influences);
    ws.blocks.add_row(ws.influences.data());
    if (!noise_known) return;
    kernels::rank_kernels().add_noise(values.data(), frame.variance.row(y), values.size(), lo, hi, &noise);
  });
  double sum = 0;
  for (const double part : noise.sum) sum += part;
  return {ws.blocks.correlation(), noise.n > 0 ? sum / static_cast<double>(noise.n) : nan};
}

Scatter scatter(const CalibratedView& frame, Buffers& ws, const kernels::QuantileInfluence& influence) {
  return scatter(frame, influence.lo, influence.hi, ws,
                 [&](const std::vector<float>& values, std::vector<double>& influences) {
                   kernels::rank_kernels().influences(values.data(), values.size(), influence, influences.data());
                 });
}

void collect_values(const CalibratedView& frame, Buffers& ws) {
  ws.values.clear();
  each_row(frame, ws, [&](std::size_t, const std::vector<float>& values) {
    std::copy_if(values.begin(), values.end(), std::back_inserter(ws.values), [](float v) { return !std::isnan(v); });
  });
}

// 1.4826 x MAD is the standard deviation of a normal distribution; sqrt(pi/2) the median's standard error over the
// mean's.
constexpr double mad_to_sigma = 1.4826022185056018;
constexpr double median_error = 1.2533141373155001;
constexpr double mad_efficiency = 2.72;  // variance of 1.4826 MAD over that of the standard deviation

constexpr std::size_t margin = 3;  // of bins, where bounds move with what they enclose

double distance(float v, double centre) { return static_cast<double>(std::fabs(v - static_cast<float>(centre))); }

Background median_background(const Selection& selection, Buffers& ws) {
  const CalibratedView& frame = selection.frame;
  detail::RankedPixels& pixels = ws.ranked;
  const detail::UsablePixels usable(frame);
  pixels.count(usable, selection.n);
  Background b;
  double lo = -infinity;
  double hi = infinity;
  pixels.exactly(margin, [&] {
    lo = -infinity;
    hi = infinity;
    detail::Ranks kept{0, pixels.size()};
    for (std::size_t before = 0; before != kept.size();) {
      before = kept.size();
      b.level = pixels.quantile(kept, 0.5);
      const auto [lower, upper] = pixels.middle_distances(kept, b.level, distance);
      b.sigma = mad_to_sigma * (lower + 0.5 * (upper - lower));
      if (b.sigma == 0) break;
      const double reach = 3 * b.sigma;
      lo = std::max(lo, b.level - reach);
      hi = std::min(hi, b.level + reach);
      const double tolerance = 1e-9 * (std::fabs(b.level) + reach);
      const auto too_low = [&](float v) { return static_cast<double>(v) - b.level < -reach; };
      const auto not_too_high = [&](float v) { return !(static_cast<double>(v) - b.level > reach); };
      kept.first = std::max(kept.first, pixels.count_before(b.level - reach, tolerance, too_low));
      kept.last = std::min(kept.last, pixels.count_before(b.level + reach, tolerance, not_too_high));
    }
    b.n_pixels = kept.size();
  });
  const Scatter found = scatter(frame, ws, {.lo = lo, .hi = hi, .level = b.level, .below = -1, .at = 0, .above = 1});
  set_error(b,
            {.white = median_error * b.sigma / std::sqrt(static_cast<double>(b.n_pixels)),
             .noise_variance = found.noise,
             .correlation = found.correlation,
             .efficiency = median_error * median_error,
             .on_grid = true,
             .spread_efficiency = mad_efficiency},
            frame.step);
  return b;
}

// 25th percentile. sigma from the spread below it (for a normal distribution the 5th and the 25th percentile lie
// 0.9704 sigma apart); standard error sqrt(q (1 - q)) / phi(z_q) = 1.3626 sigma/sqrt(n).
Background percentile_background(const Selection& selection, Buffers& ws) {
  constexpr double q = 0.25;
  constexpr double quantile_error = 1.3626;
  constexpr double spread_efficiency = 8.57;  // from the covariance of two quantiles of a normal distribution
  const CalibratedView& frame = selection.frame;
  detail::RankedPixels& pixels = ws.ranked;
  const detail::UsablePixels usable(frame);
  pixels.count(usable, selection.n);
  Background b;
  pixels.exactly(0, [&] {
    const detail::Ranks all{0, pixels.size()};
    b.level = pixels.quantile(all, q);
    b.sigma = (b.level - pixels.quantile(all, 0.05)) / 0.9704;
  });
  b.n_pixels = pixels.size();
  const Scatter found =
      scatter(frame, ws, {.lo = -infinity, .hi = infinity, .level = b.level, .below = q - 1, .at = q, .above = q});
  set_error(b,
            {.white = quantile_error * b.sigma / std::sqrt(static_cast<double>(b.n_pixels)),
             .noise_variance = found.noise,
             .correlation = found.correlation,
             .efficiency = quantile_error * quantile_error,
             .on_grid = true,
             .spread_efficiency = spread_efficiency},
            frame.step);
  return b;
}

Background mean_background(const CalibratedView& frame, Buffers& ws) {
  collect_values(frame, ws);
  const detail::Moments m = detail::moments(ws.values);
  Background b;
  b.level = m.mean;
  b.sigma = m.sd;
  b.n_pixels = m.n;
  const Scatter found =
      scatter(frame, -infinity, infinity, ws, [&](const std::vector<float>& values, std::vector<double>& influences) {
        std::transform(values.begin(), values.end(), influences.begin(),
                       [&](float v) { return static_cast<double>(v) - m.mean; });
      });
  set_error(b,
            {.white = m.sd / std::sqrt(static_cast<double>(m.n)),
             .noise_variance = found.noise,
             .correlation = found.correlation},
            frame.step);
  return b;
}

// Leaves in what lies beyond `from` and up to `to` pixels from the lesion.
void leave_in_at_distance(const BackgroundOptions& o, double from, double to, Buffers& ws) {
  const std::size_t height = o.signal.height;
  const std::size_t width = o.signal.width;
  ws.outside.resize(height * width);
  ws.row_distance.resize(height * width);
  ws.squared_distance.resize(height * width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) ws.outside[y * width + x] = holds(o.signal, y, x) ? 0 : 1;
  }
  const detail::DistanceField field({height, 1, width}, {1, 1, 1}, 1);
  field.count(ws.outside, ws.row_distance);
  field.squared(ws.outside, ws.row_distance, ws.squared_distance);
  for (std::size_t i = 0; i < ws.mask.size(); ++i) {
    const double d2 = ws.squared_distance[i];
    if (!(d2 > from * from && d2 <= to * to)) ws.mask[i] = mask_excluded;
  }
}

void check_shape(ImageView<const std::uint8_t> view, ImageView<const float> data, const char* name) {
  if (view.height != data.height || view.width != data.width) {
    throw Error(ErrorKind::input, std::string(name) + " is " + std::to_string(view.height) + " x " +
                                      std::to_string(view.width) + ", the frame " + std::to_string(data.height) +
                                      " x " + std::to_string(data.width));
  }
}

void check_options(const CalibratedView& frame, const BackgroundOptions& o) {
  check_shape(frame.mask, frame.data, "mask");
  if (o.use.data != nullptr) check_shape(o.use, frame.data, "the background mask");
  if (o.exclude.data != nullptr) check_shape(o.exclude, frame.data, "exclude");
  if (o.signal.data != nullptr) check_shape(o.signal, frame.data, "signal");
  if (o.policy == BackgroundPolicy::mask && o.use.data == nullptr) {
    throw Error(ErrorKind::input, "the background policy \"mask\" needs a mask of the pixels to use");
  }
  if (is_around_lesion(o.policy) && o.signal.data == nullptr) {
    throw Error(ErrorKind::input,
                "the background policies \"annulus\" and \"distant\" need signal, the mask of the lesion they keep "
                "away from");
  }
  if (o.guard_px < 0 || o.width_px <= 0) {
    throw Error(ErrorKind::unit, "guard_px must be 0 or more and width_px more than 0");
  }
}

void leave_in_around_lesion(const BackgroundOptions& o, Buffers& ws) {
  double area = 0;
  for (std::size_t y = 0; y < o.signal.height; ++y) {
    for (std::size_t x = 0; x < o.signal.width; ++x) area += holds(o.signal, y, x) ? 1 : 0;
  }
  if (area == 0) throw Error(ErrorKind::input, "signal marks no pixel, so there is no lesion to stay away from");
  const double guard = std::isnan(o.guard_px) ? default_guard_px(area) : o.guard_px;
  const double width = std::isnan(o.width_px) ? default_width_px(area) : o.width_px;
  if (o.policy == BackgroundPolicy::annulus) {
    leave_in_at_distance(o, guard, guard + width, ws);
  } else {
    leave_in_at_distance(o, guard + width, infinity, ws);
  }
}

// Leaves out the pixels of a row where `marks` is zero (which = 0) or is not (which = 1).
void leave_out(ImageView<const std::uint8_t> marks, std::size_t y, int which, std::uint8_t* mask) {
  if (marks.data == nullptr) return;
  const std::uint8_t* row = marks.row(y);
  for (std::size_t x = 0; x < marks.width; ++x) {
    if ((row[x] != 0 ? 1 : 0) == which) mask[x] = mask_excluded;
  }
}

}  // namespace

bool Selection::piled_up_at_zero(double level, double sigma, double share) const {
  return static_cast<double>(zeros) > share * static_cast<double>(n) && level < 3 * sigma;
}

Reason Selection::limit(double level, double sigma, double share) const {
  if (piled_up_at_zero(level, sigma, share)) return Reason::background_not_resolved;
  const bool piled_up = static_cast<double>(saturated) > share * static_cast<double>(n);
  return piled_up && level > least_saturated - 3 * sigma ? Reason::background_saturated : Reason::none;
}

Selection select_background(const CalibratedView& frame, const BackgroundOptions& options, Buffers& ws) {
  check_options(frame, options);
  const bool all = options.use.data == nullptr && options.exclude.data == nullptr && !is_around_lesion(options.policy);
  if (all) return count_pixels(frame);
  const std::size_t width = frame.data.width;
  ws.mask.resize(frame.data.size());
  for (std::size_t y = 0; y < frame.data.height; ++y) {
    std::uint8_t* mask = ws.mask.data() + y * width;
    std::copy_n(frame.mask.row(y), width, mask);
    leave_out(options.use, y, 0, mask);
    leave_out(options.exclude, y, 1, mask);
  }
  if (is_around_lesion(options.policy)) leave_in_around_lesion(options, ws);
  return count_pixels({frame.data, {ws.mask.data(), frame.data.height, width}, frame.variance, frame.step});
}

std::size_t set_patches(const detail::Correlation& correlation, double variance, double pixels_per_value, double sigma,
                        std::array<Patch, max_patches>& patches) {
  for (std::size_t i = 0; i < correlation.n_scales; ++i) {
    const auto& [values, found] = correlation.scales.at(i);
    const double pixels = values * pixels_per_value;
    const double between = variance * found.factor / pixels;
    const double independent = sigma * sigma / pixels;
    const bool seen = between * (1 - std::sqrt(2 / found.blocks)) > independent;
    patches.at(i) = {pixels, seen ? std::sqrt(between - independent) : 0.0, found.blocks};
  }
  return correlation.n_scales;
}

void set_error(Background& b, const LevelError& known, double step) {
  const auto n = static_cast<double>(std::max<std::size_t>(b.n_pixels, 1));
  const double rounding = known.on_grid ? step / std::sqrt(12.0) : rounding_error(b.sigma, step);
  const double noise = std::sqrt(known.efficiency * known.noise_variance / n);  // NaN where unknown
  UncertaintyBudget& u = b.budget;
  u.pixel_noise = std::isnan(noise) && rounding == 0 ? nan : std::hypot(std::isnan(noise) ? 0.0 : noise, rounding);
  u.sampling = std::isnan(noise) ? known.white : std::sqrt(std::max(known.white * known.white - noise * noise, 0.0));
  const detail::Inflation& worst = known.correlation.worst;
  u.heterogeneity = known.white * std::sqrt(worst.factor - 1);
  b.dof = std::max(worst.blocks - 1, 1.0);
  b.effective_pixels = n / worst.factor;
  b.sigma_error = b.sigma * std::sqrt(known.spread_efficiency / (2 * std::max(b.effective_pixels - 1, 1.0)));
  const double value_variance = known.white * known.white * n / known.efficiency;
  b.n_patches = set_patches(known.correlation, value_variance, known.pixels_per_value, b.sigma, b.patches);
  b.sem = u.total();
}

Patch Background::patch_of(double pixels) const {
  if (n_patches == 0) return {pixels, 0, 0};
  if (pixels <= patches[0].pixels) return {pixels, patches[0].sigma, patches[0].patches};
  for (std::size_t i = 1; i < n_patches; ++i) {
    const Patch& small = patches.at(i - 1);
    const Patch& large = patches.at(i);
    if (pixels > large.pixels) continue;
    const double share = std::log(pixels / small.pixels) / std::log(large.pixels / small.pixels);
    return {pixels, (1 - share) * small.sigma + share * large.sigma, large.patches};
  }
  const Patch& last = patches.at(n_patches - 1);
  return {pixels, last.sigma * std::sqrt(last.pixels / pixels), last.patches};
}

double UncertaintyBudget::total() const {
  const double noise = std::isnan(pixel_noise) ? 0.0 : pixel_noise;
  return std::sqrt(noise * noise + sampling * sampling + heterogeneity * heterogeneity + placement * placement);
}

double default_guard_px(double lesion_area_px) {
  return std::max(0.25 * std::sqrt(lesion_area_px / std::numbers::pi), 3.0);
}

double default_width_px(double lesion_area_px) {
  return std::max(0.5 * std::sqrt(lesion_area_px / std::numbers::pi), 5.0);
}

double rounding_error(double sd, double step) {
  if (!(step > 0)) return 0;
  const double s = sd / step;
  const double before_rounding = std::max(s * s - 1.0 / 12, 0.0);
  return step / std::sqrt(12.0) * std::exp(-2 * std::numbers::pi * std::numbers::pi * before_rounding);
}

Background estimate_background(const CalibratedView& frame, const BackgroundOptions& options,
                               BackgroundWorkspace& workspace) {
  Buffers& ws = workspace.buffers();
  const Selection s = select_background(frame, options, ws);
  Background b;
  if (s.n < min_background_pixels) {
    b.n_pixels = s.n;
    b.reason = (s.bits & mask_out_of_range) != 0 ? Reason::out_of_range : Reason::too_few_pixels;
    return b;
  }
  const bool lesion_excluded =
      options.exclude.data != nullptr || options.use.data != nullptr || is_around_lesion(options.policy);
  switch (options.policy) {
    case BackgroundPolicy::mode:
    case BackgroundPolicy::distant:
      b = mode_background(s, lesion_excluded, ws);
      break;
    case BackgroundPolicy::median:
      b = median_background(s, ws);
      break;
    case BackgroundPolicy::percentile:
      b = percentile_background(s, ws);
      break;
    case BackgroundPolicy::mask:
    case BackgroundPolicy::annulus:
      b = mean_background(s.frame, ws);
      break;
  }
  const bool is_mode = options.policy == BackgroundPolicy::mode || options.policy == BackgroundPolicy::distant;
  b.reason = s.limit(b.level, b.sigma, is_mode ? clipped_share_of_mode : clipped_share_of_mean);
  if (b.reason == Reason::none && !(b.level > z95 * b.sem)) b.reason = Reason::background_not_resolved;
  return b;
}

}  // namespace pyicg
