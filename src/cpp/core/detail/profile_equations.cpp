#include "profile_equations.hpp"

#include <algorithm>
#include <cmath>

namespace pyicg::detail {

void eliminate(Equations& e, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) {
    const double pivot = e(i, i);
    for (std::size_t r = i + 1; r < Equations::rest; ++r) {
      const double factor = e(r, i) / pivot;
      // Whole rows, which nobody reads before the diagonal, are one piece of vector code.
      for (std::size_t c = 0; c < Equations::columns; ++c) e(r, c) -= factor * e(i, c);
    }
  }
}

void average(const std::vector<Equations>& equations, double width, std::vector<Equations>& scratch,
             std::vector<Equations>& means) {
  static_assert(sizeof(Equations) == sizeof(Equations::sums));  // the kernel reads one set after the other
  const std::size_t n = equations.size();
  // Two boxes of 2 m + 1 rays have the variance ((2 m + 1)^2 - 1)/6.
  const double m_exact = 0.5 * (std::sqrt(6 * width * width + 1) - 1);
  const auto m = static_cast<std::size_t>(std::clamp(std::round(m_exact), 0.0, std::floor(static_cast<double>(n) / 8)));
  const double share = 1 / static_cast<double>(2 * m + 1);
  scratch.resize(n);
  means.resize(n);
  const kernels::ProfileKernels& kernels = kernels::profile_kernels();
  kernels.box(equations.front().sums.data(), n, m, share, scratch.front().sums.data());
  kernels.box(scratch.front().sums.data(), n, m, share, means.front().sums.data());
}

}  // namespace pyicg::detail
