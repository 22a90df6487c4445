#include "rim_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "blurred_edge.hpp"
#include "contour_normals.hpp"
#include "contour_smoother.hpp"
#include "profile_equations.hpp"
#include "pyicg/measurement.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

constexpr int rounds = 20;
constexpr int free_rounds = 5;  // after these the contours keep their stiffness, so that the fit can settle
// Ripples finer than the blur show weakly and settle slowly: every third step goes further than the model asks.
constexpr std::array<double, 3> strides{1, 1, 2.5};
constexpr double most_sum = 1e100;           // levels beyond it are no signal
constexpr double least_slope_thickness = 6;  // of the blur: a thinner rim's slope cannot be told from its level
constexpr double most_tilt = 0.5;            // steps over the blur's width
constexpr double model_px = 0.003;           // what the model leaves on noiseless circles
constexpr double settled_px = 2e-4;
constexpr double settled_blur = 0.005;  // of the blur: until then its rest would pass for ripples of the contour
constexpr double model_blur = 0.04;     // of the blur: how far the many levels that are told beside it draw it away
constexpr double place_share = 0.15;    // of the blur, to which the place is known at least where levels are told
constexpr double grainy_turn = 0.15;    // radians over which a textured rim's levels are alike

using enum Equations::Unknown;

class Fit {
 public:
  Fit(const GreyCrop& image, const RimRadii& start, const RimFitOptions& options)
      : image_(image), options_(options), n_(start.inner.size()) {
    step_angle_ = 2 * std::numbers::pi / static_cast<double>(n_);
    const double known = options.psf_sigma_px;
    // Too narrow a start finds the blur in a few rounds; too wide a one takes many, as the rim's level makes up for it.
    sigma_ = std::isnan(known) ? std::max(0.8 * options.start_blur_px, std::sqrt(image.blur()))
                               : std::sqrt(known * known + image.blur());
    fit_.inner.radius = without_ripples(start.inner);
    fit_.outer.radius = without_ripples(start.outer);
    inner_eq_.resize(n_);
    outer_eq_.resize(n_);
  }

  RimFit run() {
    start_levels();
    double blur_moved = 0;
    for (int round = 0; round < rounds; ++round) {
      const bool free = round < free_rounds || (round < 2 * free_rounds && blur_moved > settled_blur * sigma_);
      const double stride = free ? 1.0 : strides.at(static_cast<std::size_t>(round) % strides.size());
      const double before = sigma_;
      const double moved_inner = update(true, free, stride);
      const double moved_outer = update(false, free, stride);
      if (!is_finite()) return RimFit{};
      blur_moved = std::fabs(sigma_ - before);
      if (!free && std::max({moved_inner, moved_outer, blur_moved}) < settled_px) break;
    }
    finish();
    return std::move(fit_);
  }

 private:
  [[nodiscard]] bool is_finite() const {
    double sum = sigma_;
    for (std::size_t k = 0; k < n_; ++k) {
      sum += fit_.inner.radius[k] + fit_.outer.radius[k] + fit_.core[k] + fit_.rim[k] + fit_.outside[k];
    }
    return std::isfinite(sum) && std::fabs(sum) < most_sum;
  }
  [[nodiscard]] double angle(std::size_t k) const { return step_angle_ * static_cast<double>(k); }

  // The search's path steps to and fro; what is finer than the blur would take many rounds to settle.
  [[nodiscard]] std::vector<double> without_ripples(const std::vector<double>& radius) const {
    const double arc = step_angle_ * std::accumulate(radius.begin(), radius.end(), 0.0) / static_cast<double>(n_);
    const std::vector<double> alike(n_, 1.0);
    return smooth_contour(radius, alike, std::pow(std::max(sigma_ / arc, 1.0), 6)).mean;
  }

  [[nodiscard]] std::vector<ContourNormal> normals(bool inner) const {
    return inner ? contour_normals(fit_.inner.radius, fit_.outer.radius, true, sigma_)
                 : contour_normals(fit_.outer.radius, fit_.inner.radius, false, sigma_);
  }

  void start_levels() {
    fit_.core.assign(n_, 0);
    fit_.rim.assign(n_, 0);
    fit_.outside.assign(n_, 0);
    for (std::size_t k = 0; k < n_; ++k) {
      const double s = std::sin(angle(k));
      const double c = std::cos(angle(k));
      const double inner = fit_.inner.radius[k];
      const double outer = fit_.outer.radius[k];
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

  // Equations of the profile along one normal, given the levels.
  [[nodiscard]] Equations profile(const ContourNormal& v, std::size_t k, bool inner, const ContourNormal& other) const {
    const double step = sample_step();
    const double wide = options_.grainy ? fit_.inner.radius[k] : 0.0;
    const double into_rim = std::min(v.other + 3 * sigma_, std::max({10 * sigma_, 6.0, 2 * wide}));
    const double away = std::max({4 * sigma_, 3.0, 0.5 * wide});
    const double inward = inner ? std::min(away, 0.9 * fit_.inner.radius[k]) : into_rim;
    const double outward = inner ? into_rim : away;
    const auto low = -static_cast<int>(inward / step);
    const auto high = static_cast<int>(outward / step);
    const double tilt = inner ? inner_tilt_ : outer_tilt_;
    Equations e;
    for (int i = low; i <= high; ++i) {
      const double t = step * i;
      const double value = image_.at(v.y + t * v.dy, v.x + t * v.dx);
      if (std::isnan(value)) continue;
      const EdgeValue own = blurred_edge(t, v.falls, sigma_);
      const EdgeValue far = blurred_edge(inner ? t - v.other : t + v.other, other.falls, sigma_);
      const double in = inner ? own.level : far.level;   // past the inner boundary
      const double out = inner ? far.level : own.level;  // past the outer one
      const double inner_step = fit_.rim[k] - fit_.core[k];
      const double outer_step = fit_.outside[k] - fit_.rim[k];
      const std::array<double, unknowns> f{
          1 - in, in - out, out, -(inner ? outer_step : inner_step) * far.position,
          -(inner ? inner_step : outer_step) * own.position,
          // A ramp between both edges, blurred.
          (inner ? inner_step : -outer_step) *
              (t * (in - out) + sigma_ * sigma_ * (inner ? own.position - far.position : far.position - own.position)),
          inner ? inner_step * own.blur + outer_step * far.blur : inner_step * far.blur + outer_step * own.blur};
      const double rest =
          value - (fit_.core[k] * f[core] + fit_.rim[k] * f[rim] + fit_.outside[k] * f[outside] + tilt * f[slope]);
      for (std::size_t a = 0; a < unknowns; ++a) {
        for (std::size_t b = 0; b < unknowns; ++b) e.a.at(a * unknowns + b) += f.at(a) * f.at(b);
        e.b.at(a) += f.at(a) * rest;
      }
      e.squares += rest * rest;
      e.n += 1;
    }
    return e;
  }

  // One Gauss-Newton step of levels, blur and one boundary. Returns how far the boundary moved, px.
  double update(bool inner, bool free, double stride) {
    FittedBoundary& boundary = inner ? fit_.inner : fit_.outer;
    std::vector<Equations>& equations = inner ? inner_eq_ : outer_eq_;
    const std::vector<ContourNormal> at = normals(inner);
    const std::vector<ContourNormal> others = normals(!inner);
    double contour = 0;
    double noise_squares = 0;
    double noise_count = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      equations[k] = profile(at[k], k, inner, others[k]);
      contour += at[k].arc;
      noise_squares += equations[k].squares;
      noise_count += equations[k].n;
    }
    const double arc = contour / static_cast<double>(n_);
    if (!(noise_count > 0)) return 0;

    // Levels and blur: from profiles averaged over the blur's width along the contour.
    Global global;
    const double thickness = median_thickness();
    const std::vector<double> steady = steadiness(inner, arc);
    const double alike = 2 * std::sqrt(std::numbers::pi) * level_width(inner) / arc;  // rays in an average
    std::vector<Equations> solved = average(equations, level_width(inner) / arc);
    std::vector<double> alone(n_);  // what is known of the place when the other boundary is given
    for (std::size_t k = 0; k < n_; ++k) {
      Equations& e = solved[k];
      double scale = 0;
      for (std::size_t i = core; i <= outside; ++i) scale = std::max(scale, e.a.at(i * unknowns + i));
      for (std::size_t i = core; i <= outside; ++i) e.a.at(i * unknowns + i) += 1e-6 * scale + 1e-300;
      // The level beyond the other boundary is that boundary's to tell: this one meets no more than its blurred tail.
      e.a.at((inner ? outside : core) * (unknowns + 1)) += 1e9 * scale;
      // The other boundary follows in its own turn. Taken half for granted, the steps of a rim that is hardly wider
      // than its blur stay small enough to settle; in a gap nobody knows it better than to a blur's width.
      double& given = e.a.at(beyond * unknowns + beyond);
      given = 1.5 * given + noise_squares / noise_count / (sigma_ * sigma_ * alike) + 1e-300;
      e.a.at(place * unknowns + place) = e.a.at(place * unknowns + place) * (1 + 1e-9) + 1e-300;
      eliminate(e, core, beyond);
      alone[k] = e.a.at(place * unknowns + place);
      eliminate(e, beyond, slope);
      if (steady[k] < 0.5) continue;
      const bool wide = !options_.grainy && thickness > least_slope_thickness * sigma_;
      global.slope_slope += wide ? e.a.at(slope * unknowns + slope) : 0.0;
      global.slope_blur += wide ? e.a.at(slope * unknowns + blur) : 0.0;
      global.slope_b += wide ? e.b.at(slope) : 0.0;
      global.blur_blur += e.a.at(blur * unknowns + blur);
      global.blur_b += e.b.at(blur);
    }
    const auto [tilt_change, change] = global_step(global, inner);
    Shared& shared = inner ? inner_shared_ : outer_shared_;
    shared.by_blur.resize(n_);
    shared.by_tilt.resize(n_);
    for (std::size_t k = 0; k < n_; ++k) {
      const double own = solved[k].a[place * unknowns + place];
      shared.by_blur[k] = solved[k].a[place * unknowns + blur] / own / at[k].slant;
      shared.by_tilt[k] = solved[k].a[place * unknowns + slope] / own / at[k].slant;
    }
    std::vector<std::array<double, place>> moved(n_);
    for (std::size_t k = 0; k < n_; ++k) {
      const Equations& e = solved[k];
      std::array<double, unknowns> x{};
      x[slope] = tilt_change;
      x[blur] = change;
      for (std::size_t i = slope; i-- > 0;) {
        double value = e.b.at(i);
        for (std::size_t j = i + 1; j < unknowns; ++j) value -= e.a.at(i * unknowns + j) * x.at(j);
        x.at(i) = value / e.a.at(i * unknowns + i);
      }
      moved[k] = {x[core], x[rim], x[outside], std::clamp(x[beyond], -sigma_, sigma_)};
    }

    // The boundary: each profile's own displacement, then the smooth contour that the displacements speak for.
    const double pixel = std::sqrt(noise_squares / noise_count) * noise_factor(noise_count, arc, inner);
    fit_.noise = pixel;
    std::vector<float> known;
    for (std::size_t k = 0; k < n_; ++k) {
      if (steady[k] >= 0.5) known.push_back(static_cast<float>(solved[k].a[place * unknowns + place]));
    }
    if (!known.empty()) {
      const double per_px = pixel * pixel / (2 * std::sqrt(std::numbers::pi) * sample_step() * quantile(known, 0.5));
      (inner ? inner_width_ : outer_width_) = per_px / std::pow(place_share * sigma_, 2);
    }
    const double per_sample = pixel * pixel / (sample_step() * arc);
    shared.blur_information = global.blur_given_slope() / per_sample;
    shared.tilt_variance = global.slope_slope > 0 ? per_sample / global.slope_given_blur() : 0.0;
    const double spread =
        2 * std::sqrt(std::numbers::pi) * sigma_ * sigma_ / std::sqrt(sigma_ * sigma_ + image_.blur());
    std::vector<double> values(n_);
    std::vector<double> variances(n_, infinity);
    std::size_t seen = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      const Equations& e = equations[k];
      const double step = inner ? fit_.rim[k] - fit_.core[k] : fit_.rim[k] - fit_.outside[k];
      const double information = e.a[place * unknowns + place];
      values[k] = boundary.radius[k];
      if (!(step > 0) || !(information > 0)) continue;
      double b = e.b[place];
      for (std::size_t i = core; i < place; ++i) b -= e.a.at(place * unknowns + i) * moved[k].at(i);
      b -= e.a[place * unknowns + slope] * tilt_change;
      b -= e.a[place * unknowns + blur] * change;
      // The share of the edge that the frame shows.
      const double whole = step * step / (2 * std::sqrt(std::numbers::pi) * sigma_) / sample_step();
      const double share = std::min(information / whole, 1.0);
      if (share < 0.5) continue;
      const double shift = std::clamp(b / information, -sigma_, sigma_) / at[k].slant;
      values[k] += shift;
      const double variance = pixel * pixel * spread / (step * step * at[k].arc * share) / (at[k].slant * at[k].slant);
      const double taken = alone[k] / solved[k].a[place * unknowns + place];
      variances[k] = std::max(variance * taken, 1e-12 * sigma_ * sigma_) / steady[k];
      ++seen;
    }
    if (seen < n_ / 8) return 0;
    const SmoothContour smooth = smooth_contour(values, variances, free ? 0.0 : (inner ? stiff_inner_ : stiff_outer_));
    (inner ? stiff_inner_ : stiff_outer_) = smooth.stiffness;
    double most = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      const double least_radius = inner ? 0.5 : fit_.inner.radius[k] + 0.25;
      const double step = smooth.mean[k] - boundary.radius[k];
      const double radius = std::max(boundary.radius[k] + stride * step, least_radius);
      most = std::max(most, std::fabs(step));
      boundary.radius[k] = radius;
      // Where a gap leaves nothing between the boundaries a level is anybody's guess: it stays within what there is.
      fit_.core[k] = std::clamp(fit_.core[k] + moved[k][0], least_level_, most_level_);
      fit_.rim[k] = std::clamp(fit_.rim[k] + moved[k][1], least_level_, most_level_);
      fit_.outside[k] = std::clamp(fit_.outside[k] + moved[k][2], least_level_, most_level_);
    }
    (inner ? inner_data_ : outer_data_) = {values, variances};
    (inner ? inner_arc_ : outer_arc_) = arc;
    sigma_ += change;
    (inner ? inner_tilt_ : outer_tilt_) += tilt_change;
    return most;
  }

  // 1 where the boundary's step is that of its neighbours, less where it changes along the contour, as at the ends of a
  // broken rim: there no straight edge is blurred, and the model does not hold. Half a usual step over three blurs'
  // width counts a tenth.
  [[nodiscard]] std::vector<double> steadiness(bool inner, double arc) const {
    std::vector<double> steps(n_);
    std::vector<float> sorted;
    for (std::size_t k = 0; k < n_; ++k) {
      steps[k] = fit_.rim[k] - (inner ? fit_.core[k] : fit_.outside[k]);
      sorted.push_back(static_cast<float>(steps[k]));
    }
    const double usual = quantile(sorted, 0.75);
    const auto q = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(1.5 * sigma_ / arc)), 1, n_ / 8);
    std::vector<double> steady(n_, 1);
    for (std::size_t k = 0; k < n_ && usual > 0; ++k) {
      const double change = (steps[(k + q) % n_] - steps[(k + n_ - q) % n_]) / usual;
      const double low = std::max(1 - steps[k] / usual, 0.0);
      steady[k] = 1 / (1 + std::pow(change / 0.17, 2)) / (1 + std::pow(low / 0.6, 4));
    }
    return steady;
  }

  [[nodiscard]] double median_thickness() const {
    std::vector<float> widths;
    widths.reserve(n_);
    for (std::size_t k = 0; k < n_; ++k) {
      widths.push_back(static_cast<float>(fit_.outer.radius[k] - fit_.inner.radius[k]));
    }
    return median(widths);
  }

  // Equations of what all rays share, everything else eliminated.
  struct Global {
    double slope_slope = 0, slope_blur = 0, blur_blur = 0, slope_b = 0, blur_b = 0;

    [[nodiscard]] double blur_given_slope() const {
      return slope_slope > 0 ? blur_blur - slope_blur * slope_blur / slope_slope : blur_blur;
    }
    [[nodiscard]] double slope_given_blur() const { return slope_slope - slope_blur * slope_blur / blur_blur; }
  };
  struct GlobalStep {
    double tilt, blur;
  };
  [[nodiscard]] GlobalStep global_step(const Global& g, bool inner) const {
    const bool free_blur = std::isnan(options_.psf_sigma_px) && g.blur_blur > 0;
    const double tilt = inner ? inner_tilt_ : outer_tilt_;
    const double bound = most_tilt / sigma_;
    GlobalStep step{0, 0};
    if (free_blur) {
      const double a = g.blur_given_slope();
      const double b = g.slope_slope > 0 ? g.blur_b - g.slope_blur * g.slope_b / g.slope_slope : g.blur_b;
      if (a > 1e-6 * g.blur_blur) step.blur = std::clamp(b / a, -0.3 * sigma_, 0.3 * sigma_);
      step.blur = std::max(step.blur, std::sqrt(image_.blur()) - sigma_);
    }
    if (g.slope_slope > 0) {
      step.tilt = std::clamp(tilt + (g.slope_b - g.slope_blur * step.blur) / g.slope_slope, -bound, bound) - tilt;
    }
    if (g.slope_slope <= 0) step.tilt = -tilt;  // too thin after all
    return step;
  }

  // Standard deviation of one pixel over that of a sample's rest. Reading the image averaged white noise down to
  // 1/(4 pi blur) of its variance; each unknown took one pixel's worth of what was left, as noise that an unknown can
  // follow is slow noise, which reading does not average. Unknown are three levels per width of their average.
  [[nodiscard]] double noise_factor(double samples, double arc, bool inner) const {
    const double kept = 1 / (4 * std::numbers::pi * image_.blur());
    const double area = samples * sample_step() * arc;  // px^2
    const double unknown = 3 * arc * static_cast<double>(n_) / (2 * std::sqrt(std::numbers::pi) * level_width(inner));
    return 1 / std::sqrt(std::max(kept - unknown / area, 0.3 * kept));
  }

  [[nodiscard]] double sample_step() const { return std::max(0.5, 0.25 * sigma_); }
  // Length of contour, px, over which the levels are alike. A rim hardly wider than its blur is as well a brighter,
  // narrower one: there it takes more of the contour to tell which.
  [[nodiscard]] double level_width(bool inner) const {
    if (options_.grainy) return std::max({2.0, sigma_, grainy_turn * fit_.inner.radius.front()});
    return std::max({2.0, sigma_, inner ? inner_width_ : outer_width_});
  }

  void finish() {
    const double information = inner_shared_.blur_information + outer_shared_.blur_information;
    const double blur_sigma = std::isnan(options_.psf_sigma_px) && information > 0
                                  ? std::hypot(1 / std::sqrt(information), model_blur * sigma_)
                                  : 0.0;
    for (const bool inner : {true, false}) {
      FittedBoundary& boundary = inner ? fit_.inner : fit_.outer;
      const auto& [values, variances] = inner ? inner_data_ : outer_data_;
      if (variances.empty()) continue;
      const ContourSpread spread = contour_spread(values, variances, boundary.radius);
      boundary.sigma = spread.sigma;
      const Shared& shared = inner ? inner_shared_ : outer_shared_;
      for (std::size_t k = 0; k < n_; ++k) {
        const double from_blur = shared.by_blur[k] * blur_sigma;
        const double from_tilt = shared.by_tilt[k] * std::sqrt(shared.tilt_variance);
        boundary.sigma[k] = std::hypot(std::hypot(boundary.sigma[k], model_px), std::hypot(from_blur, from_tilt));
      }
      boundary.correlation_px = spread.correlation * (inner ? inner_arc_ : outer_arc_);
    }
    fit_.blur_px = std::sqrt(std::max(sigma_ * sigma_ - image_.blur(), 0.0));
    rim_here();
  }

  // The rim's level on each ray, from the profiles within a pixel of it along the contour.
  void rim_here() {
    const std::vector<ContourNormal> at = normals(true);
    fit_.rim_here.assign(n_, nan);
    for (std::size_t k = 0; k < n_; ++k) {
      double a = 0;
      double b = 0;
      const auto reach = static_cast<std::ptrdiff_t>(std::ceil(2.0 / at[k].arc));
      for (std::ptrdiff_t d = -reach; d <= reach; ++d) {
        const std::size_t j = (k + n_ + static_cast<std::size_t>(d + static_cast<std::ptrdiff_t>(n_))) % n_;
        const double w = std::exp(-0.5 * std::pow(static_cast<double>(d) * at[k].arc, 2));
        const Equations& e = inner_eq_[j];
        const double rr = e.a[rim * unknowns + rim];
        // rest + level x basis: the profile less core and outside
        a += w * rr;
        b += w * (e.b[rim] + rr * fit_.rim[j]);
      }
      if (a > 0) fit_.rim_here[k] = b / a;
    }
  }

  const GreyCrop& image_;
  RimFitOptions options_;
  std::size_t n_;
  double step_angle_ = 0;
  double sigma_ = 1;
  double inner_tilt_ = 0;  // how the rim's level changes along the outward normal, in steps per px
  double outer_tilt_ = 0;
  double inner_width_ = 0;
  double outer_width_ = 0;
  double stiff_inner_ = 0;
  double stiff_outer_ = 0;
  // What is shared by all rays is not known exactly either, and moves them together.
  struct Shared {
    std::vector<double> by_blur, by_tilt;  // px that the boundary moves per px of blur, per unit of tilt
    double blur_information = 0, tilt_variance = 0;
  };
  Shared inner_shared_, outer_shared_;
  struct Data {
    std::vector<double> values, variances;
  };
  Data inner_data_, outer_data_;  // what the contours were last smoothed from
  double least_level_ = infinity;
  double most_level_ = -infinity;
  double inner_arc_ = 1;
  double outer_arc_ = 1;
  std::vector<Equations> inner_eq_, outer_eq_;
  RimFit fit_;
};

}  // namespace

RimFit fit_rim(const GreyCrop& image, const RimRadii& start, const RimFitOptions& options) {
  return Fit(image, start, options).run();
}

}  // namespace pyicg::detail
