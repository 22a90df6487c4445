// A closed curve through noisy radii: a periodic smoothing spline whose stiffness the data themselves choose.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace pyicg::detail {

struct SmoothContour {
  std::vector<double> mean;
  double stiffness = 0;
};

// Posterior mean of equally spaced radii r under the prior exp(-stiffness/2 sum (third difference)^2), given values
// with variances (infinite: not seen). The stiffness maximises the marginal likelihood (Wahba, Ann. Stat. 13 (1985)
// 1378) over factors of four, unless one is given (not 0). At least sixteen values, of which one is seen.
SmoothContour smooth_contour(std::span<const double> values, std::span<const double> variances, double stiffness);

struct ContourSpread {
  std::vector<double> sigma;  // standard deviation about `mean`
  double correlation = 0;     // integral of the posterior's correlation along the curve, in samples
};

// How far the curve may be from `mean`, the stiffness being as uncertain as the values leave it: the posteriors of all
// stiffnesses tried, weighted by their likelihood.
ContourSpread contour_spread(std::span<const double> values, std::span<const double> variances,
                             std::span<const double> mean);

}  // namespace pyicg::detail
