#include "rim_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>

#include "blurred_edge.hpp"
#include "contour_normals.hpp"
#include "contour_smoother.hpp"
#include "fixed_list.hpp"
#include "fixed_point.hpp"
#include "polar.hpp"
#include "profile_equations.hpp"
#include "pyicg/measurement.hpp"
#include "select.hpp"

namespace pyicg::detail {

struct RimFitMemory {
  // One boundary, from round to round.
  struct Side {
    explicit Side(bool is_inner) : inner(is_inner) {}

    // For another fit.
    void renew() {
      fitted.sigma.clear();
      fitted.correlation_px = 0;
      normals_blur = nan;
      values.clear();
      variances.clear();
      arc = 1;
      stiffness = width = tilt = blur_information = tilt_variance = 0;
      moved = infinity;
    }

    bool inner;
    FittedBoundary fitted;
    std::vector<ContourNormal> normals;
    double normals_blur = nan;              // sigma that they were found with, while the boundary has not moved
    std::vector<Equations> equations;       // of the profiles along its normals
    std::vector<double> values, variances;  // what the contour was last smoothed from
    double arc = 1;                         // length of contour per ray, px
    double stiffness = 0;
    double width = 0;  // length of contour that it takes to tell the levels, px
    double tilt = 0;   // how the rim's level changes along the outward normal, in steps per px
    // What is shared by all rays is not known exactly either, and moves them together.
    std::vector<double> by_blur, by_tilt;  // px that the boundary moves per px of blur, per unit of tilt
    double blur_information = 0, tilt_variance = 0;
    double moved = infinity;  // by the last step, px, root mean square
  };
  // What one round changes, but for the boundary itself.
  struct Step {
    double tilt = 0, blur = 0;
    // Of each ray: core, rim, outside; and px of the other boundary.
    std::vector<std::array<double, Equations::place>> levels;
    std::vector<double> known;  // information on the place, levels and other boundary unknown
    std::vector<double> taken;  // how much the other boundary alone takes from it, a factor
  };

  RayDirections rays;
  Side inner{true};
  Side outer{false};
  Step step;
  ContourSmoother smoother;
  AndersonMixing mixing;
  std::vector<double> begin, end, weights;  // of a round
  std::vector<double> signals, rows;        // along one normal
  std::vector<Equations> scratch, solved;   // averaged along the contour
  std::vector<double> values, variances;    // where the profiles put a boundary
};

namespace {

constexpr int rounds = 12;
constexpr int grainy_rounds = 20;
constexpr int rough_round = 2;      // it shows where the contours will lie, to a pixel or so
constexpr int free_rounds = 5;      // after these the contours keep their stiffness, so that the fit can settle
constexpr double most_sum = 1e100;  // levels beyond it are no signal
constexpr double least_slope_thickness = 6;  // of the blur: a thinner rim's slope cannot be told from its level
constexpr double most_tilt = 0.5;            // steps over the blur's width
constexpr double model_px = 0.003;           // what the model leaves on noiseless circles
constexpr double settled_share = 0.05;       // of what is not known of a boundary anyway: steps of less end the fit
constexpr double settled_blur = 0.005;       // of the blur: until then its rest would pass for ripples of the contour
constexpr double model_blur = 0.04;   // of the blur: how far the many levels that are told beside it draw it away
constexpr double place_share = 0.15;  // of the blur, to which the place is known at least where levels are told
constexpr double grainy_turn = 0.15;  // radians over which a textured rim's levels are alike

using enum Equations::Column;

using PerRay = FixedList<double, most_rays>;
using Sorted = FixedList<float, most_rays>;
using Side = RimFitMemory::Side;
using Step = RimFitMemory::Step;

class Fit {
 public:
  Fit(const GreyCrop& image, const RimRadii& start, const RimFitOptions& options, RimFitMemory& memory, RimFit& fit)
      : image_(image), options_(options), gaps_(start.gaps), n_(start.inner.size()), memory_(memory), fit_(fit) {
    inner_.renew();
    outer_.renew();
    memory.mixing.begin();
    fit.noise = 0;
    memory.rays.set(n_);
    step_angle_ = 2 * std::numbers::pi / static_cast<double>(n_);
    const double known = options.psf_sigma_px;
    // Too narrow a start finds the blur in a few rounds; too wide a one takes many, as the rim's level makes up for it.
    sigma_ = std::isnan(known) ? std::max(0.8 * options.start_blur_px, std::sqrt(image.blur()))
                               : std::sqrt(known * known + image.blur());
    inner_.fitted.radius = without_ripples(start.inner);
    outer_.fitted.radius = without_ripples(start.outer);
  }

  void run(const RoughFit& goes_on) {
    start_levels();
    double blur_moved = 0;
    const int most_rounds = options_.grainy ? grainy_rounds : rounds;
    for (int round = 0; round < most_rounds; ++round) {
      const bool free = round < free_rounds || (round < 2 * free_rounds && blur_moved > settled_blur * sigma_);
      const double before = sigma_;
      pack(memory_.begin);
      update(inner_, free);
      update(outer_, free);
      if (!is_finite()) return fail();
      blur_moved = std::fabs(sigma_ - before);
      const bool settled = is_settled(inner_) && is_settled(outer_);
      if ((round == rough_round || (round < rough_round && settled)) && !goes_on(inner_.fitted.radius)) return fail();
      if (round > 0) mix();
      if (settled) break;
    }
    finish();
  }

 private:
  void fail() {
    for (FittedBoundary* boundary : {&fit_.inner, &fit_.outer}) {
      boundary->radius.clear();
      boundary->sigma.clear();
    }
  }

  [[nodiscard]] bool is_finite() const {
    double sum = sigma_;
    for (std::size_t k = 0; k < n_; ++k) {
      sum += inner_.fitted.radius[k] + outer_.fitted.radius[k] + fit_.core[k] + fit_.rim[k] + fit_.outside[k];
    }
    return std::isfinite(sum) && std::fabs(sum) < most_sum;
  }
  [[nodiscard]] bool in_gap(std::size_t k) const { return gaps_.bare_px[k] < infinity; }
  [[nodiscard]] bool shows_liver(std::size_t k) const { return in_gap(k) && gaps_.bare_px[k] > 0; }

  // The search's path steps to and fro; what is finer than the blur would take many rounds to settle.
  const std::vector<double>& without_ripples(const std::vector<double>& radius) {
    const double arc = step_angle_ * std::accumulate(radius.begin(), radius.end(), 0.0) / static_cast<double>(n_);
    const PerRay alike(n_, 1.0);
    return memory_.smoother.smooth(radius, alike, std::pow(std::max(sigma_ / arc, 1.0), 6)).mean;
  }

  void update_normals(Side& side) {
    if (side.normals_blur == sigma_) return;
    set_normals(side.fitted.radius, memory_.rays, sigma_, side.normals);
    side.normals_blur = sigma_;
  }
  void update_normals() {
    update_normals(inner_);
    update_normals(outer_);
  }

  void start_levels() {
    fit_.core.assign(n_, 0);
    fit_.rim.assign(n_, 0);
    fit_.outside.assign(n_, 0);
    for (std::size_t k = 0; k < n_; ++k) {
      const double s = memory_.rays.y[k];
      const double c = memory_.rays.x[k];
      const double inner = inner_.fitted.radius[k];
      const double outer = outer_.fitted.radius[k];
      const auto mean = [&](double from, double to) {
        double sum = 0;
        double count = 0;
        for (int i = 0; i <= 4; ++i) {
          const double r = from + 0.25 * i * (to - from);
          const double value = image_.at(r * s, r * c);
          if (std::isnan(value)) continue;
          sum += value;
          ++count;
        }
        return count > 0 ? sum / count : nan;
      };
      fit_.core[k] = mean(0.4 * inner, std::max(inner - 2 * sigma_, 0.5 * inner));
      fit_.rim[k] = mean(inner + 0.35 * (outer - inner), inner + 0.65 * (outer - inner));
      fit_.outside[k] = mean(outer + sigma_, outer + 3 * sigma_);
    }
    for (auto* level : {&fit_.core, &fit_.rim, &fit_.outside}) {
      double sum = 0;
      double count = 0;
      for (const double v : *level) {
        if (std::isnan(v)) continue;
        sum += v;
        ++count;
      }
      for (double& v : *level) {
        if (std::isnan(v)) v = count > 0 ? sum / count : 0.0;
        least_level_ = std::min(least_level_, v);
        most_level_ = std::max(most_level_, v);
      }
    }
    const double range = most_level_ - least_level_;
    least_level_ -= 0.5 * range;
    most_level_ += 0.5 * range;
  }

  // Equations of the profile along one normal, given the levels. In a gap core meets liver, and there is no rim to end.
  // Returns how many samples there are.
  std::size_t profile(std::size_t k, const Side& side, bool gap, Equations& equations) {
    const bool inner = side.inner;
    const auto nothing = [&]() -> std::size_t {
      equations.sums.fill(0);
      return 0;
    };
    if (gap && !inner) return nothing();
    const ContourNormal& v = side.normals[k];
    const Side& other = inner ? outer_ : inner_;
    const double apart = gap ? 0.0 : distance_to_other(side.fitted.radius, v, k, other.fitted.radius, inner);
    const double step = sample_step();
    const double wide = options_.grainy ? inner_.fitted.radius[k] : 0.0;
    const double into_rim = std::min(apart + 3 * sigma_, std::max({10 * sigma_, 6.0, 2 * wide}));
    const double away = std::max({4 * sigma_, 3.0, 0.5 * wide});
    const double inward = inner ? std::min(away, 0.9 * inner_.fitted.radius[k]) : into_rim;
    const double bare = (gaps_.bare_px[k] - inner_.fitted.radius[k]) * v.slant;
    const double outward = inner ? (gap ? std::min(away, bare) : into_rim) : away;
    const auto low = -static_cast<int>(inward / step);
    const auto high = static_cast<int>(outward / step);
    if (high < low) return nothing();
    const std::size_t n = static_cast<std::size_t>(high - low) + 1;
    const std::size_t room = n + kernels::profile_room;
    if (memory_.signals.size() < room) {
      memory_.signals.resize(room);
      memory_.rows.resize(room * Equations::columns);
    }
    image_.along({v.y, v.x, v.dy, v.dx, step, low}, std::span(memory_.signals).first(n));
    return kernels_.products({{step, low, n},
                              memory_.signals.data(),
                              {normal_.data(), v.falls.data(), sigma_},
                              {normal_.data(), other.normals[k].falls.data(), sigma_},
                              gap,
                              inner ? apart : -apart,
                              inner,
                              fit_.core[k],
                              fit_.rim[k],
                              fit_.outside[k],
                              side.tilt},
                             memory_.rows.data(), equations.sums.data());
  }

  // One Gauss-Newton step of levels, blur and one boundary.
  void update(Side& side, bool free) {
    update_normals();
    double contour = 0;
    double squares = 0;
    double count = 0;
    side.equations.resize(n_);
    for (std::size_t k = 0; k < n_; ++k) {
      count += static_cast<double>(profile(k, side, in_gap(k), side.equations[k]));
      contour += side.normals[k].arc;
      squares += side.equations[k](rest, rest);
    }
    side.arc = contour / static_cast<double>(n_);
    side.moved = 0;
    if (!(count > 0)) return;
    const PerRay steady = steadiness(side);
    const double pixel = std::sqrt(squares / count) * noise_factor(count, side);
    fit_.noise = pixel;
    const Step& step = solve(side, steady, squares / count, pixel);
    if (!displace(side, steady, step, pixel)) return;
    move(side, step, free);
    sigma_ += step.blur;
    side.tilt += step.tilt;
  }

  // Levels, tilt and blur: from profiles averaged along the contour. `square` is the mean square of what is left.
  const Step& solve(Side& side, const PerRay& steady, double square, double pixel) {
    Shared shared;
    Step& step = memory_.step;
    step.tilt = step.blur = 0;
    std::vector<Equations>& solved = memory_.solved;
    const bool wide = !options_.grainy && median_thickness() > least_slope_thickness * sigma_;
    const double alike = 2 * std::sqrt(std::numbers::pi) * level_width(side) / side.arc;  // rays in an average
    average(side.equations, level_width(side) / side.arc, memory_.scratch, solved);
    side.by_blur.resize(n_);
    side.by_tilt.resize(n_);
    step.known.resize(n_);
    step.taken.resize(n_);
    for (std::size_t k = 0; k < n_; ++k) {
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
      given = 1.5 * given + square / (sigma_ * sigma_ * alike) + 1e-300;
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
    set_shared_step(shared, side, step);
    step.levels.resize(n_);
    for (std::size_t k = 0; k < n_; ++k) {
      const Equations& e = solved[k];
      std::array<double, rest> x{};
      x[slope] = step.tilt;
      x[blur] = step.blur;
      for (std::size_t i = slope; i-- > 0;) {
        double value = e(i, rest);
        for (std::size_t j = i + 1; j < rest; ++j) value -= e(i, j) * x.at(j);
        x.at(i) = value / e(i, i);
      }
      step.levels[k] = {x[core], x[rim], x[outside], std::clamp(x[beyond], -sigma_, sigma_)};
    }
    const double per_sample = pixel * pixel / (sample_step() * side.arc);
    side.blur_information = shared.blur_given_slope() / per_sample;
    side.tilt_variance = shared.slope_slope > 0 ? per_sample / shared.slope_given_blur() : 0.0;
    Sorted usual;
    for (std::size_t k = 0; k < n_; ++k) {
      if (steady[k] >= 0.5) usual.push_back(static_cast<float>(step.known[k]));
    }
    if (!usual.empty()) {
      const double per_px = pixel * pixel / (2 * std::sqrt(std::numbers::pi) * sample_step() * quantile(usual, 0.5));
      side.width = per_px / std::pow(place_share * sigma_, 2);
    }
    return step;
  }

  // Where each profile by itself puts the boundary, and how well it knows. False where too few see it at all.
  bool displace(Side& side, const PerRay& steady, const Step& step, double pixel) {
    const double spread =
        2 * std::sqrt(std::numbers::pi) * sigma_ * sigma_ / std::sqrt(sigma_ * sigma_ + image_.blur());
    std::vector<double>& values = memory_.values;
    std::vector<double>& variances = memory_.variances;
    values = side.fitted.radius;
    variances.assign(n_, infinity);
    std::size_t seen = 0;
    const double liver_height = gap_height();
    for (std::size_t k = 0; k < n_; ++k) {
      const Equations& e = side.equations[k];
      const double height = in_gap(k)    ? liver_height
                            : side.inner ? fit_.rim[k] - fit_.core[k]
                                         : fit_.rim[k] - fit_.outside[k];
      const double information = e(place, place);
      if (!(height > 0) || !(information > 0)) continue;
      if (in_gap(k) && fit_.rim[k] > gaps_.most_liver) continue;  // moved to where something glows after all
      double b = e(place, rest);
      for (std::size_t i = core; i < place; ++i) b -= e(place, i) * step.levels[k].at(i);
      b -= e(place, slope) * step.tilt;
      b -= e(place, blur) * step.blur;
      // The share of the edge that the frame shows.
      const double whole = height * height / (2 * std::sqrt(std::numbers::pi) * sigma_) / sample_step();
      const double share = std::min(information / whole, 1.0);
      if (share < 0.5) continue;
      const double slant = side.normals[k].slant;
      values[k] += std::clamp(b / information, -sigma_, sigma_) / slant;
      const double variance =
          pixel * pixel * spread / (height * height * side.normals[k].arc * share) / (slant * slant);
      variances[k] = std::max(variance * step.taken[k], 1e-12 * sigma_ * sigma_) / (in_gap(k) ? 1.0 : steady[k]);
      ++seen;
    }
    if (seen < n_ / 8) return false;
    side.values = values;
    side.variances = variances;
    return true;
  }

  // The step from core to liver in the gaps, where a single ray's is lost in noise.
  [[nodiscard]] double gap_height() const {
    Sorted heights;
    for (std::size_t k = 0; k < n_; ++k) {
      if (shows_liver(k)) heights.push_back(static_cast<float>(fit_.rim[k] - fit_.core[k]));
    }
    return heights.empty() ? 0.0 : median(heights);
  }

  // To the smooth contour that the displacements speak for, and to the levels.
  void move(Side& side, const Step& step, bool free) {
    const SmoothContour& smooth = memory_.smoother.smooth(side.values, side.variances, free ? 0.0 : side.stiffness);
    side.stiffness = smooth.stiffness;
    side.normals_blur = nan;
    double squares = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      double& radius = side.fitted.radius[k];
      const double way = smooth.mean[k] - radius;
      squares += way * way;
      radius = std::max(smooth.mean[k], least_radius(side, k));
      // Where a gap leaves nothing between the boundaries a level is anybody's guess: it stays within what there is.
      fit_.core[k] = std::clamp(fit_.core[k] + step.levels[k][core], least_level_, most_level_);
      fit_.rim[k] = std::clamp(fit_.rim[k] + step.levels[k][rim], least_level_, most_level_);
      fit_.outside[k] = std::clamp(fit_.outside[k] + step.levels[k][outside], least_level_, most_level_);
    }
    side.moved = std::sqrt(squares / static_cast<double>(n_));
  }
  [[nodiscard]] double least_radius(const Side& side, std::size_t k) const {
    return side.inner ? 0.5 : inner_.fitted.radius[k] + 0.25;
  }

  // What one round of updates begins and ends with.
  void pack(std::vector<double>& state) const {
    state.clear();
    for (const auto* values : {&inner_.fitted.radius, &outer_.fitted.radius, &fit_.core, &fit_.rim, &fit_.outside}) {
      state.insert(state.end(), values->begin(), values->end());
    }
    state.insert(state.end(), {inner_.tilt, outer_.tilt, sigma_});
  }

  // The boundaries of a thin rim, its level and its blur follow one another slowly: on from where the last rounds lead.
  void mix() {
    if (inner_.variances.empty() || outer_.variances.empty()) return;
    pack(memory_.end);
    memory_.weights.clear();
    for (const Side* side : {&inner_, &outer_}) {
      for (const double v : side->variances) memory_.weights.push_back(1 / v);
    }
    memory_.mixing.mix(memory_.begin, memory_.end, memory_.weights);
    const double* next = memory_.end.data();
    for (Side* side : {&inner_, &outer_}) {
      side->normals_blur = nan;
      for (std::size_t k = 0; k < n_; ++k, ++next) {
        double& radius = side->fitted.radius[k];
        radius = std::max(std::clamp(*next, radius - sigma_, radius + sigma_), least_radius(*side, k));
      }
    }
    for (auto* level : {&fit_.core, &fit_.rim, &fit_.outside}) {
      for (double& value : *level) value = std::clamp(*next++, least_level_, most_level_);
    }
    inner_.tilt = *next++;
    outer_.tilt = *next++;
    sigma_ = std::clamp(*next, std::max(0.7 * sigma_, std::sqrt(image_.blur())), 1.3 * sigma_);
  }

  // About how well a boundary can be known: no less than the mean of all rays, and what is shared by them.
  [[nodiscard]] double unknown(const Side& side) const {
    double information = 0;
    double by_blur = 0;
    for (std::size_t k = 0; k < side.variances.size(); ++k) {
      information += 1 / side.variances[k];
      by_blur += std::fabs(side.by_blur[k]) / static_cast<double>(n_);
    }
    const double of_all = information > 0 ? 1 / std::sqrt(information) : 0.0;
    return std::hypot(std::hypot(of_all, model_px), by_blur * blur_uncertainty());
  }
  [[nodiscard]] bool is_settled(const Side& side) const { return side.moved < settled_share * unknown(side); }

  // 1 where the boundary's step is that of its neighbours, less where it changes along the contour, as at the ends of a
  // broken rim: there no straight edge is blurred, and the model does not hold. Half a usual step over three blurs'
  // width counts a tenth.
  [[nodiscard]] PerRay steadiness(const Side& side) const {
    PerRay steps(n_);
    Sorted sorted;
    for (std::size_t k = 0; k < n_; ++k) {
      steps[k] = fit_.rim[k] - (side.inner ? fit_.core[k] : fit_.outside[k]);
      sorted.push_back(static_cast<float>(steps[k]));
    }
    const double usual = quantile(sorted, 0.75);
    const auto q = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(1.5 * sigma_ / side.arc)), 1, n_ / 8);
    PerRay steady(n_, 1);
    for (std::size_t k = 0; k < n_ && usual > 0; ++k) {
      const double change = (steps[(k + q) % n_] - steps[(k + n_ - q) % n_]) / usual;
      const double low = std::max(1 - steps[k] / usual, 0.0);
      steady[k] = 1 / (1 + std::pow(change / 0.17, 2)) / (1 + std::pow(low / 0.6, 4));
    }
    return steady;
  }

  [[nodiscard]] double median_thickness() const {
    Sorted widths;
    for (std::size_t k = 0; k < n_; ++k) {
      widths.push_back(static_cast<float>(outer_.fitted.radius[k] - inner_.fitted.radius[k]));
    }
    return median(widths);
  }

  // Equations of what all rays share, everything else eliminated.
  struct Shared {
    double slope_slope = 0, slope_blur = 0, blur_blur = 0, slope_b = 0, blur_b = 0;

    [[nodiscard]] double blur_given_slope() const {
      return slope_slope > 0 ? blur_blur - slope_blur * slope_blur / slope_slope : blur_blur;
    }
    [[nodiscard]] double slope_given_blur() const { return slope_slope - slope_blur * slope_blur / blur_blur; }
  };
  void set_shared_step(const Shared& e, const Side& side, Step& step) const {
    if (std::isnan(options_.psf_sigma_px) && e.blur_blur > 0) {
      const double a = e.blur_given_slope();
      const double b = e.slope_slope > 0 ? e.blur_b - e.slope_blur * e.slope_b / e.slope_slope : e.blur_b;
      if (a > 1e-6 * e.blur_blur) step.blur = std::clamp(b / a, -0.3 * sigma_, 0.3 * sigma_);
      step.blur = std::max(step.blur, std::sqrt(image_.blur()) - sigma_);
    }
    if (!(e.slope_slope > 0)) {
      step.tilt = -side.tilt;  // too thin after all
      return;
    }
    const double bound = most_tilt / sigma_;
    const double asked = side.tilt + (e.slope_b - e.slope_blur * step.blur) / e.slope_slope;
    step.tilt = std::clamp(asked, -bound, bound) - side.tilt;
  }

  // Standard deviation of one pixel over that of a sample's rest. Reading the image averaged white noise down to
  // 1/(4 pi blur) of its variance; each unknown took one pixel's worth of what was left, as noise that an unknown can
  // follow is slow noise, which reading does not average. Unknown are three levels per width of their average.
  [[nodiscard]] double noise_factor(double samples, const Side& side) const {
    const double kept = 1 / (4 * std::numbers::pi * image_.blur());
    const double area = samples * sample_step() * side.arc;  // px^2
    const double unknown =
        3 * side.arc * static_cast<double>(n_) / (2 * std::sqrt(std::numbers::pi) * level_width(side));
    return 1 / std::sqrt(std::max(kept - unknown / area, 0.3 * kept));
  }

  // Reading leaves hardly any light or noise finer than 1.4 px, nor the blur any light finer than its sigma.
  [[nodiscard]] double sample_step() const { return std::max({0.7, std::min(0.35 * sigma_, 2.0), 0.25 * sigma_}); }
  // Length of contour, px, over which the levels are alike. A rim hardly wider than its blur is as well a brighter,
  // narrower one: there it takes more of the contour to tell which.
  [[nodiscard]] double level_width(const Side& side) const {
    if (options_.grainy) return std::max({2.0, sigma_, grainy_turn * inner_.fitted.radius.front()});
    return std::max({2.0, sigma_, side.width});
  }

  [[nodiscard]] double blur_uncertainty() const {
    const double information = inner_.blur_information + outer_.blur_information;
    if (!std::isnan(options_.psf_sigma_px) || !(information > 0)) return 0;
    return std::hypot(1 / std::sqrt(information), model_blur * sigma_);
  }

  void finish() {
    const double blur_sigma = blur_uncertainty();
    for (Side* side : {&inner_, &outer_}) {
      if (side->variances.empty()) continue;
      FittedBoundary& boundary = side->fitted;
      const ContourSpread& spread = memory_.smoother.spread(side->values, side->variances, boundary.radius);
      boundary.sigma = spread.sigma;
      for (std::size_t k = 0; k < n_; ++k) {
        const double from_blur = side->by_blur[k] * blur_sigma;
        const double from_tilt = side->by_tilt[k] * std::sqrt(side->tilt_variance);
        boundary.sigma[k] = std::hypot(std::hypot(boundary.sigma[k], model_px), std::hypot(from_blur, from_tilt));
      }
      boundary.correlation_px = spread.correlation * side->arc;
    }
    fit_.blur_px = std::sqrt(std::max(sigma_ * sigma_ - image_.blur(), 0.0));
    rim_here();
    fit_.inner = inner_.fitted;
    fit_.outer = outer_.fitted;
  }

  // The rim's level on each ray, from the profiles within a pixel of it along the contour.
  void rim_here() {
    update_normals();
    const std::vector<ContourNormal>& at = inner_.normals;
    std::vector<Equations>& equations = memory_.solved;
    equations = inner_.equations;
    for (std::size_t k = 0; k < n_; ++k) {
      if (in_gap(k) && !shows_liver(k)) profile(k, inner_, false, equations[k]);
    }
    fit_.rim_here.assign(n_, nan);
    for (std::size_t k = 0; k < n_; ++k) {
      double a = 0;
      double b = 0;
      const auto reach = static_cast<std::ptrdiff_t>(std::ceil(2.0 / at[k].arc));
      for (std::ptrdiff_t d = -reach; d <= reach; ++d) {
        const std::size_t j = (k + n_ + static_cast<std::size_t>(d + static_cast<std::ptrdiff_t>(n_))) % n_;
        const double w = std::exp(-0.5 * std::pow(static_cast<double>(d) * at[k].arc, 2));
        const Equations& e = equations[j];
        const double rr = e(rim, rim);
        // rest + level x basis: the profile less core and outside
        a += w * rr;
        b += w * (e(rim, rest) + rr * fit_.rim[j]);
      }
      if (a > 0) fit_.rim_here[k] = b / a;
    }
  }

  const GreyCrop& image_;
  RimFitOptions options_;
  const Gaps& gaps_;
  std::size_t n_;
  double step_angle_ = 0;
  double sigma_ = 1;
  double least_level_ = infinity;
  double most_level_ = -infinity;
  RimFitMemory& memory_;
  Side& inner_ = memory_.inner;
  Side& outer_ = memory_.outer;
  RimFit& fit_;
  const kernels::ProfileKernels& kernels_ = kernels::profile_kernels();
  const std::vector<double>& normal_ = normal_table();
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
