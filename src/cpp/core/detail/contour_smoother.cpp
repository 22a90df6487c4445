#include "contour_smoother.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace pyicg::detail {
namespace {

// The penalty joins samples up to three apart around the circle. Folded (0, n - 1, 1, n - 2, ...) neighbours on the
// circle lie at most seven apart, so that the matrix is a plain band.
constexpr std::size_t band = 7;
constexpr int stiffness_steps = 24;
constexpr double least_weight = 0.01;  // of the likeliest stiffness: less does not count

class Folded {
 public:
  explicit Folded(std::size_t n) : n_(n), rows_(n) {}

  [[nodiscard]] std::size_t at(std::size_t k) const { return 2 * k < n_ ? 2 * k : 2 * (n_ - 1 - k) + 1; }

  // LDL^T of diag(weights) + stiffness D^T D, D the periodic third difference.
  void factor(std::span<const double> weights, double stiffness) {
    for (auto& row : rows_) row.fill(0);
    const auto add = [&](std::size_t a, std::size_t b, double value) {
      const std::size_t i = at(a % n_);
      const std::size_t j = at(b % n_);
      if (j <= i) rows_[i].at(i - j) += value;
    };
    constexpr std::array<double, 4> difference{1, -3, 3, -1};
    for (std::size_t k = 0; k < n_; ++k) {
      add(k, k, weights[k]);
      for (std::size_t a = 0; a < 4; ++a) {
        for (std::size_t b = 0; b < 4; ++b) add(k + a, k + b, stiffness * difference.at(a) * difference.at(b));
      }
    }
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t d = std::min(i, band); d > 0; --d) {
        const std::size_t j = i - d;
        double value = rows_[i].at(d);
        for (std::size_t e = d + 1; e <= std::min(i, band); ++e) {
          if (e - d <= band) value -= rows_[i].at(e) * rows_[j].at(e - d) * rows_[i - e][0];
        }
        rows_[i].at(d) = value / rows_[j][0];
      }
      for (std::size_t d = 1; d <= std::min(i, band); ++d) {
        rows_[i][0] -= rows_[i].at(d) * rows_[i].at(d) * rows_[i - d][0];
      }
    }
  }
  [[nodiscard]] double log_determinant() const {
    double sum = 0;
    for (const auto& row : rows_) sum += std::log(row[0]);
    return sum;
  }
  // x in folded order, overwritten with the solution.
  void solve(std::vector<double>& x) const {
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t d = 1; d <= std::min(i, band); ++d) x[i] -= rows_[i].at(d) * x[i - d];
    }
    for (std::size_t i = n_; i-- > 0;) {
      x[i] /= rows_[i][0];
      for (std::size_t d = 1; d <= band && i + d < n_; ++d) x[i] -= rows_[i + d].at(d) * x[i + d];
    }
  }

 private:
  std::size_t n_;
  std::vector<std::array<double, band + 1>> rows_;  // [d]: element (i, i - d)
};

class Posterior {
 public:
  Posterior(std::span<const double> values, std::span<const double> variances)
      : values_(values), weights_(values.size()), matrix_(values.size()), x_(values.size()) {
    double total = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (!std::isfinite(variances[k])) continue;
      weights_[k] = 1 / variances[k];
      total += weights_[k];
      centre_ += weights_[k] * values[k];
    }
    centre_ /= total;
    first_ = total / static_cast<double>(values.size()) / 16;
  }

  [[nodiscard]] double stiffness(int step) const { return std::ldexp(first_, 2 * step); }

  // Log of the marginal likelihood, constants left out; the fit is z'Wz - z'W (W + S)^-1 W z.
  double solve(double stiffness) {
    const std::size_t n = values_.size();
    matrix_.factor(weights_, stiffness);
    for (std::size_t k = 0; k < n; ++k) {
      x_[matrix_.at(k)] = weights_[k] > 0 ? weights_[k] * (values_[k] - centre_) : 0.0;
    }
    matrix_.solve(x_);
    double fit = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (weights_[k] > 0) fit += weights_[k] * (values_[k] - centre_) * (values_[k] - centre_ - x_[matrix_.at(k)]);
    }
    return 0.5 * (static_cast<double>(n - 1) * std::log(stiffness) - matrix_.log_determinant() - fit);
  }
  [[nodiscard]] double mean(std::size_t k) const { return centre_ + x_[matrix_.at(k)]; }
  // Column of the covariance: of sample k with all others, in folded order.
  void covariance(std::size_t k, std::vector<double>& column) const {
    std::fill(column.begin(), column.end(), 0.0);
    column[matrix_.at(k)] = 1;
    matrix_.solve(column);
  }
  [[nodiscard]] std::size_t at(std::size_t k) const { return matrix_.at(k); }

 private:
  std::span<const double> values_;
  std::vector<double> weights_;
  Folded matrix_;
  std::vector<double> x_;
  double centre_ = 0;
  double first_ = 0;
};

}  // namespace

SmoothContour smooth_contour(std::span<const double> values, std::span<const double> variances, double stiffness) {
  Posterior posterior(values, variances);
  if (stiffness == 0) {
    double best = -std::numeric_limits<double>::infinity();
    for (int step = 0; step < stiffness_steps; ++step) {
      const double found = posterior.solve(posterior.stiffness(step));
      if (!(found > best)) continue;
      best = found;
      stiffness = posterior.stiffness(step);
    }
  }
  posterior.solve(stiffness);
  SmoothContour out{std::vector<double>(values.size()), stiffness};
  for (std::size_t k = 0; k < values.size(); ++k) out.mean[k] = posterior.mean(k);
  return out;
}

ContourSpread contour_spread(std::span<const double> values, std::span<const double> variances,
                             std::span<const double> mean) {
  const std::size_t n = values.size();
  Posterior posterior(values, variances);
  std::array<double, stiffness_steps> likelihood{};
  for (int step = 0; step < stiffness_steps; ++step) {
    likelihood.at(static_cast<std::size_t>(step)) = posterior.solve(posterior.stiffness(step));
  }
  const double most = *std::max_element(likelihood.begin(), likelihood.end());
  ContourSpread out{std::vector<double>(n), 0};
  std::vector<double> column(n);
  double total = 0;
  for (int step = 0; step < stiffness_steps; ++step) {
    const double weight = std::exp(likelihood.at(static_cast<std::size_t>(step)) - most);
    if (!(weight > least_weight)) continue;
    total += weight;
    posterior.solve(posterior.stiffness(step));
    for (std::size_t k = 0; k < n; ++k) {
      posterior.covariance(k, column);
      const double variance = column[posterior.at(k)];
      const double apart = posterior.mean(k) - mean[k];
      out.sigma[k] += weight * (variance + apart * apart);
      const double sum = std::accumulate(column.begin(), column.end(), 0.0);
      out.correlation += weight * std::max(sum / variance, 1.0) / static_cast<double>(n);
    }
  }
  for (double& s : out.sigma) s = std::sqrt(s / total);
  out.correlation /= total;
  return out;
}

}  // namespace pyicg::detail
