#include "contour_smoother.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pyicg::detail {
namespace {

constexpr double least_weight = 0.01;  // of the likeliest stiffness: less does not count

}  // namespace

void ContourSmoother::set_values(std::span<const double> values, std::span<const double> variances) {
  const std::size_t n = values.size();
  weights_.assign(n, 0.0);
  away_.assign(n, 0.0);
  pulls_.assign(n, 0.0);
  centre_ = 0;
  double total = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (!std::isfinite(variances[k])) continue;
    weights_[k] = 1 / variances[k];
    total += weights_[k];
    centre_ += weights_[k] * values[k];
  }
  centre_ /= total;
  first_ = total / static_cast<double>(n) / 16;
  for (std::size_t k = 0; k < n; ++k) {
    if (!(weights_[k] > 0)) continue;
    away_[k] = values[k] - centre_;
    pulls_[k] = weights_[k] * away_[k];
  }
}

double ContourSmoother::stiffness_of(std::size_t step) const { return std::ldexp(first_, 2 * static_cast<int>(step)); }

kernels::SmootherOutput ContourSmoother::output(std::size_t group) {
  const std::size_t n = weights_.size();
  Group& g = groups_.at(group);
  g.factors.resize(n * (kernels::smoother_band + 1) * lanes);
  g.solution.resize(n * lanes);
  return {g.factors.data(), g.solution.data(), g.mantissas.data(), g.exponents.data()};
}

// The marginal likelihood's fit is z'Wz - z'W (W + S)^-1 W z.
void ContourSmoother::try_all() {
  const std::size_t n = weights_.size();
  for (std::size_t group = 0; group < groups; ++group) {
    std::array<double, lanes> stiffness{};
    for (std::size_t s = 0; s < lanes; ++s) stiffness.at(s) = stiffness_of(group * lanes + s);
    kernels::smoother_kernels().solve(input(), stiffness.data(), output(group));
    const Group& g = groups_.at(group);
    std::array<double, lanes> fit{};
    for (std::size_t k = 0; k < n; ++k) {
      const double* const solution = g.solution.data() + place(k, 0);
      for (std::size_t s = 0; s < lanes; ++s) fit[s] += pulls_[k] * (away_[k] - solution[s]);
    }
    for (std::size_t s = 0; s < lanes; ++s) {
      const double log_determinant =
          std::log(g.mantissas.at(s)) + static_cast<double>(g.exponents.at(s)) * std::numbers::ln2;
      likelihood_.at(group * lanes + s) =
          0.5 * (static_cast<double>(n - 1) * std::log(stiffness.at(s)) - log_determinant - fit.at(s));
    }
  }
}

const SmoothContour& ContourSmoother::smooth(std::span<const double> values, std::span<const double> variances,
                                             double stiffness) {
  const std::size_t n = values.size();
  set_values(values, variances);
  SmoothContour& out = contour_;
  out.mean.resize(n);
  out.stiffness = stiffness;
  if (stiffness > 0) {
    kernels::smoother_kernels().solve_one(input(), &stiffness, output(0));
    for (std::size_t k = 0; k < n; ++k) out.mean[k] = centre_ + groups_[0].solution[kernels::folded(k, n)];
    return out;
  }
  try_all();
  // Of equals the first; one that is not a number is none.
  std::size_t best = 0;
  for (std::size_t step = 1; step < stiffness_steps; ++step) {
    if (!(likelihood_.at(step) <= likelihood_.at(best)) && !std::isnan(likelihood_.at(step))) best = step;
  }
  out.stiffness = stiffness_of(best);
  const std::vector<double>& solution = groups_.at(best / lanes).solution;
  for (std::size_t k = 0; k < n; ++k) out.mean[k] = centre_ + solution[place(k, best % lanes)];
  return out;
}

const ContourSpread& ContourSmoother::spread(std::span<const double> values, std::span<const double> variances,
                                             std::span<const double> mean) {
  const std::size_t n = values.size();
  set_values(values, variances);
  try_all();
  const double most = *std::max_element(likelihood_.begin(), likelihood_.end());
  ContourSpread& out = spread_;
  out.sigma.assign(n, 0.0);
  out.correlation = 0;
  double total = 0;
  for (std::size_t group = 0; group < groups; ++group) {
    std::array<double, lanes> weight{};
    bool any = false;
    for (std::size_t s = 0; s < lanes; ++s) {
      weight.at(s) = std::exp(likelihood_.at(group * lanes + s) - most);
      any |= weight.at(s) > least_weight;
    }
    if (!any) continue;
    const Group& g = groups_.at(group);
    inverse_.resize(g.factors.size());
    diagonal_.resize(n * lanes);
    sums_.resize(n * lanes);
    kernels::smoother_kernels().invert(n, g.factors.data(), inverse_.data(), diagonal_.data(), sums_.data());
    for (std::size_t s = 0; s < lanes; ++s) {
      if (!(weight.at(s) > least_weight)) continue;
      total += weight.at(s);
      for (std::size_t k = 0; k < n; ++k) {
        const std::size_t at = place(k, s);
        const double apart = centre_ + g.solution[at] - mean[k];
        out.sigma[k] += weight.at(s) * (diagonal_[at] + apart * apart);
        out.correlation += weight.at(s) * std::max(sums_[at] / diagonal_[at], 1.0) / static_cast<double>(n);
      }
    }
  }
  for (double& s : out.sigma) s = std::sqrt(s / total);
  out.correlation /= total;
  return out;
}

}  // namespace pyicg::detail
