#include "rim_fit.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "rim_fit_profiles.hpp"
#include "rim_fit_state.hpp"
#include "rim_fit_step.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

constexpr int rounds = 12;
constexpr int grainy_rounds = 20;
constexpr int rough_round = 2;          // it shows where the contours will lie, to a pixel or so
constexpr int free_rounds = 5;          // after these the contours keep their stiffness, so that the fit can settle
constexpr double most_sum = 1e100;      // levels beyond it are no signal
constexpr double model_px = 0.003;      // what the model leaves on noiseless circles
constexpr double settled_share = 0.02;  // of what is not known of a boundary anyway: less to come ends the fit
constexpr double settled_rays = 0.8;    // of all: beside the others, clutter may keep a few from settling
constexpr double least_left = 0.3;      // of a round's way, for the next one: two rounds alone may look quicker,
constexpr double most_left = 0.9;       // or as if there were no end
constexpr double settled_blur = 0.005;  // of the blur: until then its rest would pass for ripples of the contour
constexpr double model_blur = 0.04;     // of the blur: how far the many levels that are told beside it draw it away

using enum Equations::Column;
using Side = RimFitState::Side;
using Step = RimFitState::Step;

class Fit {
 public:
  Fit(const GreyCrop& image, const RimRadii& start, const RimFitOptions& options, RimFitMemory& memory, RimFit& fit)
      : s_{image, options, start.gaps, memory, fit, start.inner.size()} {
    s_.inner.renew();
    s_.outer.renew();
    memory.mixing.begin();
    fit.noise = 0;
    memory.rays.set(s_.n);
    const double known = options.psf_sigma_px;
    // Too narrow a start finds the blur in a few rounds; too wide a one takes many, as the rim's level makes up for it.
    s_.sigma = std::isnan(known) ? std::max(0.8 * options.start_blur_px, std::sqrt(image.blur()))
                                 : std::sqrt(known * known + image.blur());
    s_.inner.fitted.radius = without_ripples(start.inner);
    s_.outer.fitted.radius = without_ripples(start.outer);
  }

  void run(const RoughFit& goes_on) {
    set_start_levels(s_);
    double blur_moved = 0;
    const int most_rounds = s_.options.grainy ? grainy_rounds : rounds;
    for (int round = 0; round < most_rounds; ++round) {
      const bool free = round < free_rounds || (round < 2 * free_rounds && blur_moved > settled_blur * s_.sigma);
      const double before = s_.sigma;
      pack(s_.memory.begin);
      update(s_.inner, free);
      update(s_.outer, free);
      if (!is_finite()) return fail();
      blur_moved = std::fabs(s_.sigma - before);
      const bool inner_settled = settle(s_.inner);
      const bool settled = settle(s_.outer) && inner_settled;
      if ((round == rough_round || (round < rough_round && settled)) && !goes_on(s_.inner.fitted.radius)) return fail();
      if (round > 0) mix();
      if (settled) break;
    }
    finish();
  }

 private:
  void fail() {
    for (FittedBoundary* boundary : {&s_.fit.inner, &s_.fit.outer}) {
      boundary->radius.clear();
      boundary->sigma.clear();
    }
  }

  [[nodiscard]] bool is_finite() const {
    double sum = s_.sigma;
    for (std::size_t k = 0; k < s_.n; ++k) {
      sum += s_.inner.fitted.radius[k] + s_.outer.fitted.radius[k] + s_.fit.core[k] + s_.fit.rim[k] + s_.fit.outside[k];
    }
    return std::isfinite(sum) && std::fabs(sum) < most_sum;
  }

  // The search's path steps to and fro; what is finer than the blur would take many rounds to settle.
  const std::vector<double>& without_ripples(const std::vector<double>& radius) {
    const auto n = static_cast<double>(s_.n);
    const double arc = 2 * std::numbers::pi / n * std::accumulate(radius.begin(), radius.end(), 0.0) / n;
    const FixedList<double, most_rays> alike(s_.n, 1.0);
    return s_.memory.smoother.smooth(radius, alike, std::pow(std::max(s_.sigma / arc, 1.0), 6)).mean;
  }

  void update(Side& side, bool free) {
    if (!find_step(s_, side)) return;
    const Step& step = s_.memory.step;
    move(side, step, free);
    s_.sigma += step.blur;
    side.tilt += step.tilt;
  }

  // To the smooth contour that the displacements speak for, and to the levels.
  void move(Side& side, const Step& step, bool free) {
    const SmoothContour& smooth = s_.memory.smoother.smooth(side.values, side.variances, free ? 0.0 : side.stiffness);
    side.stiffness = smooth.stiffness;
    side.normals_blur = nan;
    for (std::size_t k = 0; k < s_.n; ++k) {
      side.fitted.radius[k] = std::max(smooth.mean[k], least_radius(side, k));
      // Where a gap leaves nothing between the boundaries a level is anybody's guess: it stays within what there is.
      s_.fit.core[k] = std::clamp(s_.fit.core[k] + step.levels[k][core], s_.least_level, s_.most_level);
      s_.fit.rim[k] = std::clamp(s_.fit.rim[k] + step.levels[k][rim], s_.least_level, s_.most_level);
      s_.fit.outside[k] = std::clamp(s_.fit.outside[k] + step.levels[k][outside], s_.least_level, s_.most_level);
    }
  }
  [[nodiscard]] double least_radius(const Side& side, std::size_t k) const {
    return side.inner ? 0.5 : s_.inner.fitted.radius[k] + 0.25;
  }

  // What one round of updates begins and ends with.
  void pack(std::vector<double>& state) const {
    state.clear();
    for (const auto* values :
         {&s_.inner.fitted.radius, &s_.outer.fitted.radius, &s_.fit.core, &s_.fit.rim, &s_.fit.outside}) {
      state.insert(state.end(), values->begin(), values->end());
    }
    state.insert(state.end(), {s_.inner.tilt, s_.outer.tilt, s_.sigma});
  }

  // The boundaries of a thin rim, its level and its blur follow one another slowly: on from where the last rounds lead.
  void mix() {
    if (s_.inner.variances.empty() || s_.outer.variances.empty()) return;
    pack(s_.memory.end);
    s_.memory.weights.clear();
    for (const Side* side : {&s_.inner, &s_.outer}) {
      for (const double v : side->variances) s_.memory.weights.push_back(1 / v);
    }
    s_.memory.mixing.mix(s_.memory.begin, s_.memory.end, s_.memory.weights);
    const double* next = s_.memory.end.data();
    for (Side* side : {&s_.inner, &s_.outer}) {
      side->normals_blur = nan;
      for (std::size_t k = 0; k < s_.n; ++k, ++next) {
        double& radius = side->fitted.radius[k];
        radius = std::max(std::clamp(*next, radius - s_.sigma, radius + s_.sigma), least_radius(*side, k));
      }
    }
    for (auto* level : {&s_.fit.core, &s_.fit.rim, &s_.fit.outside}) {
      for (double& value : *level) value = std::clamp(*next++, s_.least_level, s_.most_level);
    }
    s_.inner.tilt = *next++;
    s_.outer.tilt = *next++;
    s_.sigma = std::clamp(*next, std::max(0.7 * s_.sigma, std::sqrt(s_.image.blur())), 1.3 * s_.sigma);
  }

  // Where the round began.
  [[nodiscard]] std::span<const double> begin_of(const Side& side) const {
    return std::span(s_.memory.begin).subspan(side.inner ? 0 : s_.n, s_.n);
  }

  // How far the round has moved most rays, px: root mean square, each ray for as much as its profile knows.
  [[nodiscard]] double moved(const Side& side) const {
    const std::span<const double> from = begin_of(side);
    FixedList<float, most_rays> ways;  // squares, over the variance
    for (std::size_t k = 0; k < s_.n; ++k) {
      const double way = side.fitted.radius[k] - from[k];
      ways.push_back(static_cast<float>(way * way / side.variances[k]));
    }
    FixedList<float, most_rays> sorted = ways;
    const double most = quantile(sorted, settled_rays);
    double squares = 0;
    double information = 0;
    for (std::size_t k = 0; k < s_.n; ++k) {
      if (static_cast<double>(ways[k]) > most) continue;
      squares += static_cast<double>(ways[k]);
      information += 1 / side.variances[k];
    }
    return information > 0 ? std::sqrt(squares / information) : 0.0;
  }

  // About how well a ray's place on a boundary is known, px: as well as all profiles together know what the contour's
  // stiffness lets it follow of them, and what is shared by all rays.
  [[nodiscard]] double unknown(const Side& side) const {
    double information = 0;
    double by_blur = 0;
    const auto n = static_cast<double>(s_.n);
    for (std::size_t k = 0; k < s_.n; ++k) {
      information += 1 / side.variances[k];
      by_blur += std::fabs(side.by_blur[k]) / n;
    }
    double lobes = 0;
    for (std::size_t k = 0; k < s_.n; ++k) {
      const double difference = 2 - 2 * s_.memory.rays.x[k];  // squared, of a lobe k times around
      lobes += 1 / (1 + side.stiffness * n / information * difference * difference * difference);
    }
    return std::hypot(std::hypot(std::sqrt(lobes / information), model_px), by_blur * blur_uncertainty());
  }

  // Whether hardly anything is to come, as the last two rounds let expect.
  bool settle(Side& side) const {
    if (side.variances.empty()) return true;
    const double before = std::exchange(side.moved, moved(side));
    const double left = before > 0 ? std::clamp(side.moved / before, least_left, most_left) : least_left;
    return side.moved * left / (1 - left) < settled_share * unknown(side);
  }

  [[nodiscard]] double blur_uncertainty() const {
    const double information = s_.inner.blur_information + s_.outer.blur_information;
    if (!std::isnan(s_.options.psf_sigma_px) || !(information > 0)) return 0;
    return std::hypot(1 / std::sqrt(information), model_blur * s_.sigma);
  }

  void finish() {
    const double blur_sigma = blur_uncertainty();
    for (Side* side : {&s_.inner, &s_.outer}) {
      if (side->variances.empty()) continue;
      FittedBoundary& boundary = side->fitted;
      const ContourSpread& spread = s_.memory.smoother.spread(side->values, side->variances, boundary.radius);
      boundary.sigma = spread.sigma;
      const std::span<const double> from = begin_of(*side);
      for (std::size_t k = 0; k < s_.n; ++k) {
        const double from_blur = side->by_blur[k] * blur_sigma;
        const double from_tilt = side->by_tilt[k] * std::sqrt(side->tilt_variance);
        const double from_last_step = boundary.radius[k] - from[k];
        const double known = std::hypot(boundary.sigma[k], model_px, from_last_step);
        boundary.sigma[k] = std::hypot(known, from_blur, from_tilt);
      }
      boundary.correlation_px = spread.correlation * side->arc;
    }
    s_.fit.blur_px = std::sqrt(std::max(s_.sigma * s_.sigma - s_.image.blur(), 0.0));
    set_rim_here(s_);
    s_.fit.inner = s_.inner.fitted;
    s_.fit.outer = s_.outer.fitted;
  }

  RimFitState s_;
};

}  // namespace

RimFitter::RimFitter() : memory_(std::make_unique<RimFitMemory>()) {}
RimFitter::~RimFitter() = default;
RimFitter::RimFitter(RimFitter&&) noexcept = default;
RimFitter& RimFitter::operator=(RimFitter&&) noexcept = default;

void RimFitter::fit(const GreyCrop& image, const RimRadii& start, const RimFitOptions& options, const RoughFit& goes_on,
                    RimFit& fit) {
  Fit(image, start, options, *memory_, fit).run(goes_on);
}

}  // namespace pyicg::detail
