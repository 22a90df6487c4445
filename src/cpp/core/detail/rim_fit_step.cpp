#include "rim_fit_step.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "rim_fit_profiles.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

constexpr double least_slope_thickness = 6;  // of the blur: a thinner rim's slope cannot be told from its level
constexpr double most_tilt = 0.5;            // steps over the blur's width
constexpr double place_share = 0.15;         // of the blur, to which the place is known at least where levels are told
constexpr double grainy_turn = 0.15;         // radians over which a textured rim's levels are alike

using enum Equations::Column;

using PerRay = FixedList<double, most_rays>;
using Sorted = FixedList<float, most_rays>;
using Side = RimFitState::Side;
using Step = RimFitState::Step;

// 1 where the boundary's step is that of its neighbours, less where it changes along the contour, as at the ends of a
// broken rim: there no straight edge is blurred, and the model does not hold. Half a usual step over three blurs'
// width counts a tenth.
PerRay steadiness(const RimFitState& s, const Side& side) {
  PerRay steps(s.n);
  Sorted sorted;
  for (std::size_t k = 0; k < s.n; ++k) {
    steps[k] = s.fit.rim[k] - (side.inner ? s.fit.core[k] : s.fit.outside[k]);
    sorted.push_back(static_cast<float>(steps[k]));
  }
  const double usual = quantile(sorted, 0.75);
  const auto q = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(1.5 * s.sigma / side.arc)), 1, s.n / 8);
  PerRay steady(s.n, 1);
  for (std::size_t k = 0; k < s.n && usual > 0; ++k) {
    const double change = (steps[(k + q) % s.n] - steps[(k + s.n - q) % s.n]) / usual;
    const double low = std::max(1 - steps[k] / usual, 0.0);
    steady[k] = 1 / (1 + std::pow(change / 0.17, 2)) / (1 + std::pow(low / 0.6, 4));
  }
  return steady;
}

double median_thickness(const RimFitState& s) {
  Sorted widths;
  for (std::size_t k = 0; k < s.n; ++k) {
    widths.push_back(static_cast<float>(s.outer.fitted.radius[k] - s.inner.fitted.radius[k]));
  }
  return median(widths);
}

// Length of contour, px, over which the levels are alike. A rim hardly wider than its blur is as well a brighter,
// narrower one: there it takes more of the contour to tell which.
double level_width(const RimFitState& s, const Side& side) {
  if (s.options.grainy) return std::max({2.0, s.sigma, grainy_turn * s.inner.fitted.radius.front()});
  return std::max({2.0, s.sigma, side.width});
}

// Standard deviation of one pixel over that of a sample's rest. Reading the image averaged white noise down to
// 1/(4 pi blur) of its variance; each unknown took one pixel's worth of what was left, as noise that an unknown can
// follow is slow noise, which reading does not average. Unknown are three levels per width of their average.
double noise_factor(const RimFitState& s, double samples, const Side& side) {
  const double kept = 1 / (4 * std::numbers::pi * s.image.blur());
  const double area = samples * s.sample_step() * side.arc;  // px^2
  const double unknown =
      3 * side.arc * static_cast<double>(s.n) / (2 * std::sqrt(std::numbers::pi) * level_width(s, side));
  return 1 / std::sqrt(std::max(kept - unknown / area, 0.3 * kept));
}

// Equations of what all rays share, everything else eliminated.
struct Shared {
  double slope_slope = 0, slope_blur = 0, blur_blur = 0, slope_b = 0, blur_b = 0;

  [[nodiscard]] double blur_given_slope() const {
    return slope_slope > 0 ? blur_blur - slope_blur * slope_blur / slope_slope : blur_blur;
  }
  [[nodiscard]] double slope_given_blur() const { return slope_slope - slope_blur * slope_blur / blur_blur; }
};
void set_shared_step(const RimFitState& s, const Shared& e, const Side& side, Step& step) {
  if (std::isnan(s.options.psf_sigma_px) && e.blur_blur > 0) {
    const double a = e.blur_given_slope();
    const double b = e.slope_slope > 0 ? e.blur_b - e.slope_blur * e.slope_b / e.slope_slope : e.blur_b;
    if (a > 1e-6 * e.blur_blur) step.blur = std::clamp(b / a, -0.3 * s.sigma, 0.3 * s.sigma);
    step.blur = std::max(step.blur, std::sqrt(s.image.blur()) - s.sigma);
  }
  if (!(e.slope_slope > 0)) {
    step.tilt = -side.tilt;  // too thin after all
    return;
  }
  const double bound = most_tilt / s.sigma;
  const double asked = side.tilt + (e.slope_b - e.slope_blur * step.blur) / e.slope_slope;
  step.tilt = std::clamp(asked, -bound, bound) - side.tilt;
}

// Levels, tilt and blur: from profiles averaged along the contour. `square` is the mean square of what is left.
void solve(RimFitState& s, Side& side, const PerRay& steady, double square, double pixel) {
  Shared shared;
  Step& step = s.memory.step;
  step.tilt = step.blur = 0;
  std::vector<Equations>& solved = s.memory.solved;
  const bool wide = !s.options.grainy && median_thickness(s) > least_slope_thickness * s.sigma;
  const double alike = 2 * std::sqrt(std::numbers::pi) * level_width(s, side) / side.arc;  // rays in an average
  average(side.equations, level_width(s, side) / side.arc, s.memory.scratch, solved);
  side.by_blur.resize(s.n);
  side.by_tilt.resize(s.n);
  step.known.resize(s.n);
  step.taken.resize(s.n);
  for (std::size_t k = 0; k < s.n; ++k) {
    Equations& e = solved[k];
    double scale = 0;
    for (std::size_t i = core; i <= outside; ++i) scale = std::max(scale, e(i, i));
    for (std::size_t i = core; i <= outside; ++i) e(i, i) += 1e-6 * scale + 1e-300;
    // The level beyond the other boundary is that boundary's to tell: this one meets no more than its blurred tail.
    const Equations::Column far = side.inner ? outside : core;
    e(far, far) += 1e9 * scale;
    // The other boundary follows in its own turn. Taken half for granted, the steps of a rim that is hardly wider
    // than its blur stay small enough to settle; in a gap nobody knows it better than to a blur's width.
    double& given = e(beyond, beyond);
    given = 1.5 * given + square / (s.sigma * s.sigma * alike) + 1e-300;
    e(place, place) = e(place, place) * (1 + 1e-9) + 1e-300;
    eliminate(e, core, beyond);
    const double alone = e(place, place);
    eliminate(e, beyond, slope);
    step.known[k] = e(place, place);
    step.taken[k] = alone / step.known[k];
    side.by_blur[k] = e(place, blur) / step.known[k] / side.normals[k].slant;
    side.by_tilt[k] = e(place, slope) / step.known[k] / side.normals[k].slant;
    if (steady[k] < 0.5) continue;
    shared.slope_slope += wide ? e(slope, slope) : 0.0;
    shared.slope_blur += wide ? e(slope, blur) : 0.0;
    shared.slope_b += wide ? e(slope, rest) : 0.0;
    shared.blur_blur += e(blur, blur);
    shared.blur_b += e(blur, rest);
  }
  set_shared_step(s, shared, side, step);
  step.levels.resize(s.n);
  for (std::size_t k = 0; k < s.n; ++k) {
    const Equations& e = solved[k];
    std::array<double, rest> x{};
    x[slope] = step.tilt;
    x[blur] = step.blur;
    for (std::size_t i = slope; i-- > 0;) {
      double value = e(i, rest);
      for (std::size_t j = i + 1; j < rest; ++j) value -= e(i, j) * x.at(j);
      x.at(i) = value / e(i, i);
    }
    step.levels[k] = {x[core], x[rim], x[outside], std::clamp(x[beyond], -s.sigma, s.sigma)};
  }
  const double per_sample = pixel * pixel / (s.sample_step() * side.arc);
  side.blur_information = shared.blur_given_slope() / per_sample;
  side.tilt_variance = shared.slope_slope > 0 ? per_sample / shared.slope_given_blur() : 0.0;
  Sorted usual;
  for (std::size_t k = 0; k < s.n; ++k) {
    if (steady[k] >= 0.5) usual.push_back(static_cast<float>(step.known[k]));
  }
  if (!usual.empty()) {
    const double per_px = pixel * pixel / (2 * std::sqrt(std::numbers::pi) * s.sample_step() * quantile(usual, 0.5));
    side.width = per_px / std::pow(place_share * s.sigma, 2);
  }
}

// The step from core to liver in the gaps, where a single ray's is lost in noise.
double gap_height(const RimFitState& s) {
  Sorted heights;
  for (std::size_t k = 0; k < s.n; ++k) {
    if (s.shows_liver(k)) heights.push_back(static_cast<float>(s.fit.rim[k] - s.fit.core[k]));
  }
  return heights.empty() ? 0.0 : median(heights);
}

// Where each profile by itself puts the boundary, and how well it knows. False where too few see it at all.
bool displace(RimFitState& s, Side& side, const PerRay& steady, double pixel) {
  const Step& step = s.memory.step;
  const double spread =
      2 * std::sqrt(std::numbers::pi) * s.sigma * s.sigma / std::sqrt(s.sigma * s.sigma + s.image.blur());
  std::vector<double>& values = s.memory.values;
  std::vector<double>& variances = s.memory.variances;
  values = side.fitted.radius;
  variances.assign(s.n, infinity);
  std::size_t seen = 0;
  const double liver_height = gap_height(s);
  for (std::size_t k = 0; k < s.n; ++k) {
    const Equations& e = side.equations[k];
    const double height = s.in_gap(k)  ? liver_height
                          : side.inner ? s.fit.rim[k] - s.fit.core[k]
                                       : s.fit.rim[k] - s.fit.outside[k];
    const double information = e(place, place);
    if (!(height > 0) || !(information > 0)) continue;
    if (s.in_gap(k) && s.fit.rim[k] > s.gaps.most_liver) continue;  // moved to where something glows after all
    double b = e(place, rest);
    for (std::size_t i = core; i < place; ++i) b -= e(place, i) * step.levels[k].at(i);
    b -= e(place, slope) * step.tilt;
    b -= e(place, blur) * step.blur;
    // The share of the edge that the frame shows.
    const double whole = height * height / (2 * std::sqrt(std::numbers::pi) * s.sigma) / s.sample_step();
    const double share = std::min(information / whole, 1.0);
    if (share < 0.5) continue;
    const double slant = side.normals[k].slant;
    values[k] += std::clamp(b / information, -s.sigma, s.sigma) / slant;
    const double variance = pixel * pixel * spread / (height * height * side.normals[k].arc * share) / (slant * slant);
    variances[k] = std::max(variance * step.taken[k], 1e-12 * s.sigma * s.sigma) / (s.in_gap(k) ? 1.0 : steady[k]);
    ++seen;
  }
  if (seen < s.n / 8) return false;
  side.values = values;
  side.variances = variances;
  return true;
}

}  // namespace

bool find_step(RimFitState& s, Side& side) {
  s.update_normals();
  double contour = 0;
  double squares = 0;
  double count = 0;
  side.equations.resize(s.n);
  for (std::size_t k = 0; k < s.n; ++k) {
    count += static_cast<double>(read_profile(s, k, side, s.in_gap(k), side.equations[k]));
    contour += side.normals[k].arc;
    squares += side.equations[k](rest, rest);
  }
  side.arc = contour / static_cast<double>(s.n);
  if (!(count > 0)) return false;
  const PerRay steady = steadiness(s, side);
  const double pixel = std::sqrt(squares / count) * noise_factor(s, count, side);
  s.fit.noise = pixel;
  solve(s, side, steady, squares / count, pixel);
  return displace(s, side, steady, pixel);
}

}  // namespace pyicg::detail
