#include "rim_evidence.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "fixed_list.hpp"
#include "polar.hpp"
#include "pyicg/measurement.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

constexpr std::size_t sectors = 24;
constexpr std::size_t rays_each = 6;
constexpr std::size_t depths = 8;  // places on a ray through a band
constexpr double dark_core = 0.8;  // of the surroundings; from pale_core up a core is as bright as they are
constexpr double pale_core = 0.9;
constexpr std::size_t least_run = 4;  // sectors: 60 degrees

struct Band {
  std::array<double, sectors> mean{};   // NaN where the frame shows nothing of it
  std::array<double, sectors> noise{};  // standard error of the mean, from white noise alone
  double scatter = 0;                   // median standard deviation within a sector
};

double at_angle(const std::vector<double>& radii, double angle) {
  return between(radii, rays_at(angle / (2 * std::numbers::pi) * static_cast<double>(radii.size()), radii.size()));
}

// Means over a band whose edges on each ray `edges` gives.
template <class Edges>
Band measure(const GreyCrop& image, double pixel_noise, const Edges& edges) {
  Band band;
  FixedList<float, sectors> scatters;
  for (std::size_t s = 0; s < sectors; ++s) {
    double sum = 0;
    double squares = 0;
    double count = 0;
    double area = 0;
    for (std::size_t j = 0; j < rays_each; ++j) {
      const double angle = 2 * std::numbers::pi * (static_cast<double>(s * rays_each + j) + 0.5) /
                           static_cast<double>(sectors * rays_each);
      const auto [from, to] = edges(angle);
      area += 0.5 * (to * to - from * from) * 2 * std::numbers::pi / static_cast<double>(sectors * rays_each);
      for (std::size_t i = 0; i < depths; ++i) {
        const double r = from + (to - from) * (static_cast<double>(i) + 0.5) / static_cast<double>(depths);
        const double value = image.at(r * std::sin(angle), r * std::cos(angle));
        if (std::isnan(value)) continue;
        sum += value;
        squares += value * value;
        ++count;
      }
    }
    band.mean.at(s) = count > 0 ? sum / count : nan;
    band.noise.at(s) = pixel_noise / std::sqrt(std::max(area, 1.0));
    if (count > 1)
      scatters.push_back(static_cast<float>(std::sqrt(std::max(squares / count - std::pow(sum / count, 2), 0.0))));
  }
  band.scatter = scatters.empty() ? nan : median(scatters);
  return band;
}

double median_of(const std::array<double, sectors>& values) {
  FixedList<float, sectors> known;
  for (const double v : values) {
    if (!std::isnan(v)) known.push_back(static_cast<float>(v));
  }
  return known.empty() ? nan : median(known);
}

// Standard deviation over the sectors chosen, the noise's share taken off.
template <class Chosen>
double spread(const Band& band, const Chosen& chosen) {
  double sum = 0;
  double squares = 0;
  double noise = 0;
  double n = 0;
  for (std::size_t s = 0; s < sectors; ++s) {
    if (std::isnan(band.mean.at(s)) || !chosen(s)) continue;
    sum += band.mean.at(s);
    noise += band.noise.at(s) * band.noise.at(s);
    ++n;
  }
  if (n < 2) return 0;
  for (std::size_t s = 0; s < sectors; ++s) {
    if (!std::isnan(band.mean.at(s)) && chosen(s)) squares += std::pow(band.mean.at(s) - sum / n, 2);
  }
  return std::sqrt(std::max((squares - noise) / n, 0.0));
}

// Share of the sectors that are set, counting circular runs of least_run or more only.
double in_runs(const std::array<bool, sectors>& set) {
  const auto open = static_cast<std::size_t>(std::find(set.begin(), set.end(), false) - set.begin());
  if (open == sectors) return 1;
  std::size_t total = 0;
  std::size_t run = 0;
  for (std::size_t i = 1; i <= sectors; ++i) {
    if (set.at((open + i) % sectors)) {
      ++run;
      continue;
    }
    if (run >= least_run) total += run;
    run = 0;
  }
  return static_cast<double>(total) / static_cast<double>(sectors);
}

// Median over the inner half of the core, each part of its area counted alike: a fleck there does not move it.
double middle_of(const GreyCrop& image, const std::vector<double>& inner) {
  FixedList<float, sectors * rays_each * depths> values;
  for (std::size_t j = 0; j < sectors * rays_each; ++j) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(sectors * rays_each);
    const double half = 0.5 * at_angle(inner, angle);
    for (std::size_t i = 0; i < depths; ++i) {
      const double r = half * std::sqrt((static_cast<double>(i) + 0.5) / static_cast<double>(depths));
      const double value = image.at(r * std::sin(angle), r * std::cos(angle));
      if (!std::isnan(value)) values.push_back(static_cast<float>(value));
    }
  }
  return values.empty() ? nan : median(values);
}

double ramp(double value, double none, double full) { return std::clamp((value - none) / (full - none), 0.0, 1.0); }

double gate(double value, double half, double power) { return 1 / (1 + std::pow(value / half, power)); }

}  // namespace

RimEvidence gather_evidence(const GreyCrop& image, const RimFit& fit, double dark, double in_view) {
  const std::vector<double>& inner = fit.inner.radius;
  const std::vector<double>& outer = fit.outer.radius;
  FixedList<float, most_rays> thicknesses;
  FixedList<float, most_rays> radii;
  for (std::size_t k = 0; k < inner.size(); ++k) {
    thicknesses.push_back(static_cast<float>(outer[k] - inner[k]));
    radii.push_back(static_cast<float>(inner[k]));
  }
  const double thickness = median(thicknesses);
  const double blur = std::min(std::max(fit.blur_px, 0.5), median(radii) / 3);
  RimEvidence found;
  found.core_over_blur = median(radii) / std::max(fit.blur_px, 1e-6);
  const double beside = std::max(0.5 * thickness, 3.0);
  const Band core = measure(image, fit.noise, [&](double angle) {
    const double r = at_angle(inner, angle);
    return std::pair{0.35 * r, std::max(r - 1.5 * blur, 0.5 * r)};
  });
  const Band rim = measure(image, fit.noise, [&](double angle) {
    const double r = at_angle(inner, angle);
    const double t = at_angle(outer, angle) - r;
    return std::pair{r + 0.25 * t, r + 0.75 * t};
  });
  const Band outside = measure(image, fit.noise, [&](double angle) {
    const double r = at_angle(outer, angle) + 1.5 * blur;
    return std::pair{r, r + beside};
  });

  std::array<double, sectors> steps{};
  for (std::size_t s = 0; s < sectors; ++s) steps.at(s) = rim.mean.at(s) - core.mean.at(s);
  const double step = median_of(steps);
  if (!(step > 0)) return found;
  std::array<bool, sectors> stands{};
  std::array<double, sectors> own_thickness{};
  for (std::size_t s = 0; s < sectors; ++s) {
    const bool over_outside = !(rim.mean.at(s) - outside.mean.at(s) <= 0.25 * step);  // out of the frame: not known
    stands.at(s) = steps.at(s) > 0.5 * step && over_outside;
    const double angle = 2 * std::numbers::pi * (static_cast<double>(s) + 0.5) / static_cast<double>(sectors);
    own_thickness.at(s) = at_angle(outer, angle) - at_angle(inner, angle);
  }
  found.coherence = in_runs(stands);
  found.in_view = in_view;
  found.core_spread = spread(core, [](std::size_t) { return true; }) / step;
  found.outside_spread = spread(outside, [&](std::size_t s) { return stands.at(s); }) / step;
  const Band widths{own_thickness, {}, 0};
  found.thickness_spread = spread(widths, [&](std::size_t s) { return stands.at(s); }) / thickness;
  const double noise = median_of([&] {
    std::array<double, sectors> three{};
    three.fill(nan);
    three[0] = core.scatter;
    three[1] = rim.scatter;
    three[2] = outside.scatter;
    return three;
  }());
  found.significance = step / (noise / std::sqrt(static_cast<double>(rays_each * depths) / 3) + 1e-300);
  found.thickness_px = thickness;
  const double middle = middle_of(image, inner);  // NaN where nothing of it is valid
  if (dark > 0 && !std::isnan(middle)) found.middle_over_dark = middle / dark;
  return found;
}

double confidence(const RimEvidence& e) {
  // Bent, crossing or parallel vessels have liver between them: around a core that is not dark a rim must be closed and
  // even, and where the frame ends nothing shows that it closes.
  const double dark = ramp(e.middle_over_dark, pale_core, dark_core);
  const double shape =
      dark * ramp(e.coherence, 0.25, 0.65) * gate(e.thickness_spread, 0.8, 4) +
      (1 - dark) * ramp(e.coherence, 0.85, 1) * ramp(e.in_view, 0.95, 1) * gate(e.thickness_spread, 0.4, 4);
  return shape * gate(e.core_spread, 0.25, 2) * gate(e.outside_spread, 0.5, 2) * e.significance / (e.significance + 2) *
         ramp(e.core_over_blur, 1.5, 2.6) * (0.4 + 0.6 * ramp(e.thickness_px, 2.7, 3.2));
}

}  // namespace pyicg::detail
