#include "rim_fit_profiles.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "../../kernels/rim_profile.hpp"
#include "blurred_edge.hpp"

namespace pyicg::detail {
namespace {

using enum Equations::Column;
using Side = RimFitState::Side;

}  // namespace

void set_start_levels(RimFitState& s) {
  s.fit.core.assign(s.n, 0);
  s.fit.rim.assign(s.n, 0);
  s.fit.outside.assign(s.n, 0);
  for (std::size_t k = 0; k < s.n; ++k) {
    const double dy = s.memory.rays.y[k];
    const double dx = s.memory.rays.x[k];
    const double inner = s.inner.fitted.radius[k];
    const double outer = s.outer.fitted.radius[k];
    const auto mean = [&](double from, double to) {
      double sum = 0;
      double count = 0;
      for (int i = 0; i <= 4; ++i) {
        const double r = from + 0.25 * i * (to - from);
        const double value = s.image.at(r * dy, r * dx);
        if (std::isnan(value)) continue;
        sum += value;
        ++count;
      }
      return count > 0 ? sum / count : nan;
    };
    s.fit.core[k] = mean(0.4 * inner, std::max(inner - 2 * s.sigma, 0.5 * inner));
    s.fit.rim[k] = mean(inner + 0.35 * (outer - inner), inner + 0.65 * (outer - inner));
    s.fit.outside[k] = mean(outer + s.sigma, outer + 3 * s.sigma);
  }
  for (auto* level : {&s.fit.core, &s.fit.rim, &s.fit.outside}) {
    double sum = 0;
    double count = 0;
    for (const double v : *level) {
      if (std::isnan(v)) continue;
      sum += v;
      ++count;
    }
    for (double& v : *level) {
      if (std::isnan(v)) v = count > 0 ? sum / count : 0.0;
      s.least_level = std::min(s.least_level, v);
      s.most_level = std::max(s.most_level, v);
    }
  }
  const double range = s.most_level - s.least_level;
  s.least_level -= 0.5 * range;
  s.most_level += 0.5 * range;
}

std::size_t read_profile(RimFitState& s, std::size_t k, const Side& side, bool gap, Equations& equations) {
  const std::vector<double>& normal = normal_table();
  const bool inner = side.inner;
  const auto nothing = [&]() -> std::size_t {
    equations.sums.fill(0);
    return 0;
  };
  if (gap && !inner) return nothing();
  const ContourNormal& v = side.normals[k];
  const Side& other = inner ? s.outer : s.inner;
  const double apart = gap ? 0.0 : distance_to_other(side.fitted.radius, v, k, other.fitted.radius, inner);
  const double step = s.sample_step();
  const double wide = s.options.grainy ? s.inner.fitted.radius[k] : 0.0;
  const double into_rim = std::min(apart + 3 * s.sigma, std::max({10 * s.sigma, 6.0, 2 * wide}));
  const double away = std::max({4 * s.sigma, 3.0, 0.5 * wide});
  const double inward = inner ? std::min(away, 0.9 * s.inner.fitted.radius[k]) : into_rim;
  const double bare = (s.gaps.bare_px[k] - s.inner.fitted.radius[k]) * v.slant;
  const double outward = inner ? (gap ? std::min(away, bare) : into_rim) : away;
  const auto low = -static_cast<int>(inward / step);
  const auto high = static_cast<int>(outward / step);
  if (high < low) return nothing();
  const std::size_t n = static_cast<std::size_t>(high - low) + 1;
  const std::size_t room = n + kernels::profile_room;
  if (s.memory.signals.size() < room) s.memory.signals.resize(room);
  if (s.memory.rows.size() < room * Equations::columns) s.memory.rows.resize(room * Equations::columns);
  s.image.along({v.y, v.x, v.dy, v.dx, step, low}, std::span(s.memory.signals).first(n));
  return kernels::profile_kernels().products({{step, low, n},
                                              s.memory.signals.data(),
                                              {normal.data(), v.falls.data(), s.sigma},
                                              {normal.data(), other.normals[k].falls.data(), s.sigma},
                                              gap,
                                              inner ? apart : -apart,
                                              inner,
                                              s.fit.core[k],
                                              s.fit.rim[k],
                                              s.fit.outside[k],
                                              side.tilt},
                                             s.memory.rows.data(), equations.sums.data());
}

void set_rim_here(RimFitState& s) {
  s.update_normals();
  const std::vector<ContourNormal>& at = s.inner.normals;
  std::vector<Equations>& equations = s.memory.solved;
  equations = s.inner.equations;
  for (std::size_t k = 0; k < s.n; ++k) {
    if (s.in_gap(k) && !s.shows_liver(k)) read_profile(s, k, s.inner, false, equations[k]);
  }
  s.fit.rim_here.assign(s.n, nan);
  for (std::size_t k = 0; k < s.n; ++k) {
    double a = 0;
    double b = 0;
    const auto reach = static_cast<std::ptrdiff_t>(std::ceil(2.0 / at[k].arc));
    for (std::ptrdiff_t d = -reach; d <= reach; ++d) {
      const std::size_t j = (k + s.n + static_cast<std::size_t>(d + static_cast<std::ptrdiff_t>(s.n))) % s.n;
      const double w = std::exp(-0.5 * std::pow(static_cast<double>(d) * at[k].arc, 2));
      const Equations& e = equations[j];
      const double rr = e(rim, rim);
      // rest + level x basis: the profile less core and outside
      a += w * rr;
      b += w * (e(rim, rest) + rr * s.fit.rim[j]);
    }
    if (a > 0) s.fit.rim_here[k] = b / a;
  }
}

}  // namespace pyicg::detail
