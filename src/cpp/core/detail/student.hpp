// 97.5 % point of Student's t distribution, for intervals whose spread was estimated from few values.
#pragma once

#include <algorithm>
#include <cmath>

#include "pyicg/measurement.hpp"

namespace pyicg::detail {

// Closed forms at 1 and 2 degrees of freedom; above, the expansion in 1/dof of Abramowitz and Stegun 26.7.5, good to
// 1e-3 at 4 and 1e-5 from 10. From 1 to 3, where Welch's degrees of freedom need not be whole, the logarithm is taken
// as linear in 1/dof, good to 3 %. Infinity gives the normal distribution's.
inline double student_975(double dof) {
  constexpr double t1 = 12.706204736432095;
  constexpr double t2 = 4.302652729911275;
  constexpr double t3 = 3.182446305284263;
  const double d = std::max(dof, 1.0);
  const double u = 1 / d;
  if (d <= 2) return t2 * std::pow(t1 / t2, (u - 1.0 / 2) / (1 - 1.0 / 2));
  if (d <= 3) return t3 * std::pow(t2 / t3, (u - 1.0 / 3) / (1.0 / 2 - 1.0 / 3));
  const double z = z95;
  const double z2 = z * z;
  const double g1 = z * (z2 + 1) / 4;
  const double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
  const double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  const double g4 = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
  return z + u * (g1 + u * (g2 + u * (g3 + u * g4)));
}

}  // namespace pyicg::detail
