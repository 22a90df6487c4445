#include "profile_equations.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace pyicg::detail {

void Equations::add(const Equations& e, double w) {
  for (std::size_t i = 0; i < a.size(); ++i) a.at(i) += w * e.a.at(i);
  for (std::size_t i = 0; i < b.size(); ++i) b.at(i) += w * e.b.at(i);
}

void eliminate(Equations& e, std::size_t first, std::size_t last) {
  constexpr std::size_t unknowns = Equations::unknowns;
  for (std::size_t i = first; i < last; ++i) {
    const double pivot = e.a.at(i * unknowns + i);
    for (std::size_t r = i + 1; r < unknowns; ++r) {
      const double factor = e.a.at(r * unknowns + i) / pivot;
      for (std::size_t c = i; c < unknowns; ++c) e.a.at(r * unknowns + c) -= factor * e.a.at(i * unknowns + c);
      e.b.at(r) -= factor * e.b.at(i);
    }
  }
}

std::vector<Equations> average(const std::vector<Equations>& equations, double width) {
  const std::size_t n = equations.size();
  // Two boxes of 2 m + 1 rays have the variance ((2 m + 1)^2 - 1)/6.
  const double m_exact = 0.5 * (std::sqrt(6 * width * width + 1) - 1);
  const auto m = static_cast<std::size_t>(std::clamp(std::round(m_exact), 0.0, std::floor(static_cast<double>(n) / 8)));
  const double share = 1 / static_cast<double>(2 * m + 1);
  std::vector<Equations> from = equations;
  std::vector<Equations> to(n);
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t k = 0; k < n; ++k) {
      to[k] = Equations{};
      for (std::size_t d = 0; d <= 2 * m; ++d) to[k].add(from[(k + n - m + d) % n], share);
    }
    std::swap(from, to);
  }
  return from;
}

}  // namespace pyicg::detail
