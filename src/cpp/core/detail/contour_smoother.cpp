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

}  // namespace

SmoothContour smooth_contour(std::span<const double> values, std::span<const double> variances, double stiffness) {
  const std::size_t n = values.size();
  std::vector<double> weights(n);
  double total = 0;
  double centre = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (!std::isfinite(variances[k])) continue;
    weights[k] = 1 / variances[k];
    total += weights[k];
    centre += weights[k] * values[k];
  }
  centre /= total;
  Folded matrix(n);
  std::vector<double> x(n);
  const auto posterior = [&](double stiff) {
    matrix.factor(weights, stiff);
    for (std::size_t k = 0; k < n; ++k) x[matrix.at(k)] = weights[k] > 0 ? weights[k] * (values[k] - centre) : 0.0;
    matrix.solve(x);
  };
  // log of the marginal likelihood, constants left out; the fit is z'Wz - z'W (W + S)^-1 W z.
  const auto likelihood = [&](double stiff) {
    posterior(stiff);
    double fit = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (weights[k] > 0) fit += weights[k] * (values[k] - centre) * (values[k] - centre - x[matrix.at(k)]);
    }
    return 0.5 * (static_cast<double>(n - 1) * std::log(stiff) - matrix.log_determinant() - fit);
  };
  if (stiffness == 0) {
    double best = -std::numeric_limits<double>::infinity();
    double candidate = total / static_cast<double>(n) / 16;
    for (int step = 0; step < stiffness_steps; ++step, candidate *= 4) {
      const double found = likelihood(candidate);
      if (!(found > best)) continue;
      best = found;
      stiffness = candidate;
    }
  }
  posterior(stiffness);
  SmoothContour out{std::vector<double>(n), stiffness};
  for (std::size_t k = 0; k < n; ++k) out.mean[k] = centre + x[matrix.at(k)];
  return out;
}

ContourSpread contour_spread(std::span<const double> variances, double stiffness) {
  const std::size_t n = variances.size();
  std::vector<double> weights(n);
  for (std::size_t k = 0; k < n; ++k) weights[k] = std::isfinite(variances[k]) ? 1 / variances[k] : 0.0;
  Folded matrix(n);
  matrix.factor(weights, stiffness);
  ContourSpread out{std::vector<double>(n), 0};
  std::vector<double> column(n);
  for (std::size_t k = 0; k < n; ++k) {
    std::fill(column.begin(), column.end(), 0.0);
    column[matrix.at(k)] = 1;
    matrix.solve(column);
    const double variance = column[matrix.at(k)];
    out.sigma[k] = std::sqrt(variance);
    const double sum = std::accumulate(column.begin(), column.end(), 0.0);
    out.correlation += std::max(sum / variance, 1.0) / static_cast<double>(n);
  }
  return out;
}

}  // namespace pyicg::detail
