#include "core/detail/contour_smoother.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using pyicg::InstructionSet;
using pyicg::detail::ContourSmoother;

namespace {

constexpr double pi = std::numbers::pi;
constexpr double unseen = std::numeric_limits<double>::infinity();
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// diag(1/variances) + stiffness D^T D in full, D the third difference around the circle; its inverse and determinant by
// Gauss and Jordan.
struct Dense {
  std::size_t n;
  std::vector<double> inverse;
  double log_determinant = 0;

  Dense(const std::vector<double>& variances, double stiffness) : n(variances.size()), inverse(n * n) {
    std::vector<double> a(n * n);
    constexpr std::array<double, 4> difference{1, -3, 3, -1};
    for (std::size_t k = 0; k < n; ++k) {
      a[k * n + k] += std::isfinite(variances[k]) ? 1 / variances[k] : 0.0;
      inverse[k * n + k] = 1;
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
          a[((k + i) % n) * n + (k + j) % n] += stiffness * difference.at(i) * difference.at(j);
        }
      }
    }
    for (std::size_t k = 0; k < n; ++k) {
      const double pivot = a[k * n + k];  // positive definite: no row changes
      log_determinant += std::log(pivot);
      for (std::size_t j = 0; j < n; ++j) {
        a[k * n + j] /= pivot;
        inverse[k * n + j] /= pivot;
      }
      for (std::size_t i = 0; i < n; ++i) {
        const double factor = a[i * n + k];
        if (i == k || factor == 0) continue;
        for (std::size_t j = 0; j < n; ++j) {
          a[i * n + j] -= factor * a[k * n + j];
          inverse[i * n + j] -= factor * inverse[k * n + j];
        }
      }
    }
  }
  double operator()(std::size_t i, std::size_t j) const { return inverse[i * n + j]; }
};

struct Data {
  std::vector<double> values, variances;
};

// A wobbled circle with noise of changing size and, if asked for, an arc that was not seen.
Data wobbled(std::size_t n, bool gap, std::uint32_t seed) {
  scene::Normal normal(seed);
  Data d{std::vector<double>(n), std::vector<double>(n)};
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = 2 * pi * static_cast<double>(k) / static_cast<double>(n);
    const double sigma = 0.1 + 0.05 * std::sin(angle);
    d.variances[k] = sigma * sigma;
    d.values[k] = 20 + 1.5 * std::cos(2 * angle + 0.4) + sigma * normal();
    if (gap && k > n / 8 && k < n / 3) {
      d.values[k] = missing;
      d.variances[k] = unseen;
    }
  }
  return d;
}

void full_matrix() {
  for (const std::size_t n : {16U, 17U, 40U, 61U}) {
    for (const bool gap : {false, true}) {
      for (const double stiffness : {0.5, 300.0, 1e6}) {
        const Data d = wobbled(n, gap, 7);
        const Dense dense(d.variances, stiffness);
        double total = 0;
        double centre = 0;
        for (std::size_t k = 0; k < n; ++k) {
          if (!std::isfinite(d.variances[k])) continue;
          total += 1 / d.variances[k];
          centre += d.values[k] / d.variances[k];
        }
        centre /= total;
        const auto smooth = ContourSmoother{}.smooth(d.values, d.variances, stiffness);
        check::equal(smooth.stiffness, stiffness);
        for (std::size_t i = 0; i < n; ++i) {
          double mean = centre;
          for (std::size_t j = 0; j < n; ++j) {
            if (std::isfinite(d.variances[j])) mean += dense(i, j) * (d.values[j] - centre) / d.variances[j];
          }
          check::near(smooth.mean[i], mean, 1e-8);
        }
      }
    }
  }
}

// The spread is that of all stiffnesses tried, by their likelihood: oracle on the full matrices.
void spread_over_stiffnesses() {
  const Data d = wobbled(40, true, 10);
  double total = 0;
  double centre = 0;
  for (std::size_t k = 0; k < 40; ++k) {
    if (!std::isfinite(d.variances[k])) continue;
    total += 1 / d.variances[k];
    centre += d.values[k] / d.variances[k];
  }
  centre /= total;
  const auto found = ContourSmoother{}.smooth(d.values, d.variances, 0);
  const auto spread = ContourSmoother{}.spread(d.values, d.variances, found.mean);
  std::vector<double> likelihoods;
  std::vector<double> correlations;
  std::vector<std::vector<double>> squares;
  for (int step = 0; step < 24; ++step) {
    const double stiffness = std::ldexp(total / 40 / 16, 2 * step);
    const Dense dense(d.variances, stiffness);
    double fit = 0;
    double correlation = 0;
    std::vector<double> square(40);
    for (std::size_t i = 0; i < 40; ++i) {
      double mean = centre;
      double row = 0;
      for (std::size_t j = 0; j < 40; ++j) row += dense(i, j);
      correlation += std::max(row / dense(i, i), 1.0) / 40;
      for (std::size_t j = 0; j < 40; ++j) {
        if (std::isfinite(d.variances[j])) mean += dense(i, j) * (d.values[j] - centre) / d.variances[j];
      }
      if (std::isfinite(d.variances[i])) fit += (d.values[i] - centre) * (d.values[i] - mean) / d.variances[i];
      square[i] = dense(i, i) + (mean - found.mean[i]) * (mean - found.mean[i]);
    }
    likelihoods.push_back(0.5 * (39 * std::log(stiffness) - dense.log_determinant - fit));
    correlations.push_back(correlation);
    squares.push_back(square);
  }
  const double most = *std::max_element(likelihoods.begin(), likelihoods.end());
  for (std::size_t i = 0; i < 40; ++i) {
    double sum = 0;
    double weights = 0;
    for (std::size_t step = 0; step < 24; ++step) {
      const double weight = std::exp(likelihoods[step] - most);
      if (weight <= 0.01) continue;
      sum += weight * squares[step][i];
      weights += weight;
    }
    check::near(spread.sigma[i], std::sqrt(sum / weights), 1e-10 * spread.sigma[i]);
  }
  double sum = 0;
  double weights = 0;
  for (std::size_t step = 0; step < 24; ++step) {
    const double weight = std::exp(likelihoods[step] - most);
    if (weight <= 0.01) continue;
    sum += weight * correlations[step];
    weights += weight;
  }
  check::near(spread.correlation, sum / weights, 1e-10 * spread.correlation);
}

// The stiffness chosen has the largest marginal likelihood of all that are four or sixteen times as large or small.
void likeliest_stiffness() {
  for (const bool gap : {false, true}) {
    const Data d = wobbled(48, gap, 8);
    double total = 0;
    double centre = 0;
    for (std::size_t k = 0; k < 48; ++k) {
      if (!std::isfinite(d.variances[k])) continue;
      total += 1 / d.variances[k];
      centre += d.values[k] / d.variances[k];
    }
    centre /= total;
    const auto likelihood = [&](double stiffness) {
      const Dense dense(d.variances, stiffness);
      double fit = 0;
      for (std::size_t i = 0; i < 48; ++i) {
        if (!std::isfinite(d.variances[i])) continue;
        const double zi = (d.values[i] - centre) / d.variances[i];
        fit += zi * (d.values[i] - centre);
        for (std::size_t j = 0; j < 48; ++j) {
          if (std::isfinite(d.variances[j])) fit -= zi * dense(i, j) * (d.values[j] - centre) / d.variances[j];
        }
      }
      return 0.5 * (47 * std::log(stiffness) - dense.log_determinant - fit);
    };
    const double chosen = ContourSmoother{}.smooth(d.values, d.variances, 0).stiffness;
    for (const double factor : {0.0625, 0.25, 4.0, 16.0}) {
      check::is_true(likelihood(chosen) >= likelihood(factor * chosen), "the likeliest stiffness");
    }
  }
}

// Curves drawn from the prior: their stiffness is found again, and the errors are as large as told.
void stiffness_of_known_curves() {
  constexpr std::size_t n = 120;
  constexpr double sigma = 0.05;
  constexpr int curves = 40;
  for (const double stiffness : {1e4, 1e6}) {
    double logs = 0;
    double squares = 0;
    for (int curve = 0; curve < curves; ++curve) {
      scene::Normal normal(static_cast<std::uint32_t>(100 + curve));
      std::vector<double> truth(n, 30.0);
      for (std::size_t m = 1; m < n / 2; ++m) {
        const double penalty = std::pow(2 * std::sin(pi * static_cast<double>(m) / n), 6);
        const double scale = std::sqrt(2 / (n * stiffness * penalty));
        const double a = scale * normal();
        const double b = scale * normal();
        for (std::size_t k = 0; k < n; ++k) {
          const double angle = 2 * pi * static_cast<double>(m * k) / n;
          truth[k] += a * std::cos(angle) + b * std::sin(angle);
        }
      }
      std::vector<double> values(truth);
      for (double& v : values) v += sigma * normal();
      const std::vector<double> variances(n, sigma * sigma);
      const auto found = ContourSmoother{}.smooth(values, variances, 0);
      const auto spread = ContourSmoother{}.spread(values, variances, found.mean);
      logs += std::log2(found.stiffness / stiffness) / curves;
      for (std::size_t k = 0; k < n; ++k) {
        squares += std::pow((found.mean[k] - truth[k]) / spread.sigma[k], 2) / (curves * n);
      }
    }
    check::near(logs, 0, 1);  // the mean of the powers of two, in steps of two
    check::near(std::sqrt(squares), 1, 0.1);
  }
}

// A circle in noise becomes a circle: as good as one mean of all radii, or nearly.
void circle() {
  double squares = 0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    scene::Normal normal(seed);
    std::vector<double> values(100);
    for (double& v : values) v = 25 + 0.2 * normal();
    const auto found = ContourSmoother{}.smooth(values, std::vector<double>(100, 0.04), 0);
    for (const double v : found.mean) squares += (v - 25) * (v - 25) / (20 * 100);
  }
  check::is_true(std::sqrt(squares) < 2 * 0.2 / 10, "errors under twice those of the mean");
}

void missing_values() {
  Data d = wobbled(60, true, 9);
  const auto found = ContourSmoother{}.smooth(d.values, d.variances, 0);
  for (double& v : d.values) v = std::isnan(v) ? 1e6 : v;  // what was not seen has no say
  check::is_true(found.mean == ContourSmoother{}.smooth(d.values, d.variances, 0).mean, "the same contour");
  const auto spread = ContourSmoother{}.spread(d.values, d.variances, found.mean);
  const std::size_t middle = 60 * 11 / 48;
  check::is_true(spread.sigma[middle] > 2 * spread.sigma[40], "a wider spread in the gap");
  const double angle = 2 * pi * static_cast<double>(middle) / 60;
  check::near(found.mean[middle], 20 + 1.5 * std::cos(2 * angle + 0.4), 3 * spread.sigma[middle]);
}

}  // namespace

int main() {
  for (const InstructionSet set : pyicg::instruction_sets()) {
    pyicg::use_instruction_set(pyicg::instruction_set_name(set));
    full_matrix();
    spread_over_stiffnesses();
    likeliest_stiffness();
  }
  stiffness_of_known_curves();
  circle();
  missing_values();
  return check::result();
}
