#include "blurred_edge.hpp"

#include <cmath>
#include <numbers>
#include <vector>

namespace pyicg::detail {
namespace {

constexpr std::array<double, 5> blur_weights{0.01125741132772068, 0.22207592200561263, 0.53333333333333333,
                                             0.22207592200561263, 0.01125741132772068};
constexpr double table_end = 7;  // 1 - Phi(7) is 1e-12
constexpr int per_unit = 256;

struct Normal {
  double density, share;  // phi and Phi
};

std::vector<Normal> make_table() {
  std::vector<Normal> table;
  for (int i = 0; i <= 2 * static_cast<int>(table_end) * per_unit + 1; ++i) {
    const double u = static_cast<double>(i) / per_unit - table_end;
    table.push_back(
        {std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi), 0.5 * std::erfc(-u / std::numbers::sqrt2)});
  }
  return table;
}

// Taylor series about the nearest table place: within 4e-10.
Normal normal(double u) {
  static const std::vector<Normal> table = make_table();
  if (!(u > -table_end)) return {0, 0};
  if (u >= table_end) return {0, 1};
  const auto nearest = static_cast<std::size_t>(std::lround((u + table_end) * per_unit));
  const double at = static_cast<double>(nearest) / per_unit - table_end;
  const double h = u - at;
  const Normal& n = table[nearest];
  return {n.density * (1 - at * h + 0.5 * (at * at - 1) * h * h),
          n.share + n.density * h * (1 - 0.5 * at * h + (at * at - 1) * h * h / 6)};
}

}  // namespace

EdgeValue blurred_edge(double distance, const std::array<double, 5>& falls, double sigma) {
  if (std::fabs(distance) > 7 * sigma) return {distance > 0 ? 1.0 : 0.0, 0, 0};
  EdgeValue sum{0, 0, 0};
  const double per_sigma = 1 / sigma;
  for (std::size_t q = 0; q < falls.size(); ++q) {
    const Normal n = normal((distance + falls[q]) * per_sigma);
    sum.level += blur_weights[q] * n.share;
    sum.position += blur_weights[q] * n.density;
    // The places along the edge move with sigma, and the falls with their square.
    sum.blur += blur_weights[q] * n.density * (falls[q] - distance);
  }
  sum.position *= per_sigma;
  sum.blur *= per_sigma * per_sigma;
  return sum;
}

}  // namespace pyicg::detail
