// A closed curve through noisy radii: a periodic smoothing spline whose stiffness the data themselves choose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../../kernels/band_smoother.hpp"

namespace pyicg::detail {

struct SmoothContour {
  std::vector<double> mean;
  double stiffness = 0;
};

struct ContourSpread {
  std::vector<double> sigma;  // standard deviation about `mean`
  double correlation = 0;     // integral of the posterior's correlation along the curve, in samples
};

// Equally spaced radii r under the prior exp(-stiffness/2 sum (third difference)^2), given values with variances
// (infinite: not seen). At least sixteen values, of which one is seen. Keeps its memory from call to call; what it
// returns is its own, until it is called again.
class ContourSmoother {
 public:
  // Posterior mean. The stiffness maximises the marginal likelihood (Wahba, Ann. Stat. 13 (1985) 1378) over factors of
  // four, unless one is given (not 0).
  const SmoothContour& smooth(std::span<const double> values, std::span<const double> variances, double stiffness);

  // How far the curve may be from `mean`, the stiffness being as uncertain as the values leave it: the posteriors of
  // all stiffnesses tried, weighted by their likelihood.
  const ContourSpread& spread(std::span<const double> values, std::span<const double> variances,
                              std::span<const double> mean);

 private:
  static constexpr std::size_t lanes = kernels::smoother_lanes;
  static constexpr std::size_t groups = 2;
  static constexpr std::size_t stiffness_steps = groups * lanes;

  void set_values(std::span<const double> values, std::span<const double> variances);
  [[nodiscard]] double stiffness_of(std::size_t step) const;
  void try_all();
  [[nodiscard]] kernels::SmootherInput input() const { return {weights_.size(), weights_.data(), pulls_.data()}; }
  [[nodiscard]] kernels::SmootherOutput output(std::size_t group);
  // Of stiffness number `lane` of a group, sample k: in what the kernels leave.
  [[nodiscard]] std::size_t place(std::size_t k, std::size_t lane) const {
    return kernels::folded(k, weights_.size()) * lanes + lane;
  }

  // One group of stiffnesses: see kernels::SmootherOutput.
  struct Group {
    std::vector<double> factors, solution;
    std::array<double, lanes> mantissas{};
    std::array<std::int64_t, lanes> exponents{};
  };

  std::vector<double> weights_, away_, pulls_;  // inverse variances; values less their mean; weight times that
  double centre_ = 0;
  double first_ = 0;  // the least stiffness that is tried
  std::array<Group, groups> groups_;
  std::array<double, stiffness_steps> likelihood_{};  // logs, constants left out
  std::vector<double> inverse_, diagonal_, sums_;
  SmoothContour contour_;
  ContourSpread spread_;
};

}  // namespace pyicg::detail
