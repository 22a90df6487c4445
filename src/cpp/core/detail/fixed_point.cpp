#include "fixed_point.hpp"

#include <algorithm>
#include <cmath>

namespace pyicg::detail {
namespace {

constexpr double most_share = 3;  // of one earlier step: more says that the rests are not those of a smooth function

}  // namespace

void AndersonMixing::mix(std::span<const double> x, std::span<double> g, std::span<const double> weights) {
  Step& now = steps_.at(count_ % steps_.size());
  now.end.assign(g.begin(), g.end());
  now.rest.resize(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) now.rest[i] = g[i] - x[i];
  const std::size_t back = std::min(count_, depth);
  ++count_;
  if (back == 0) return;
  std::array<const Step*, depth> earlier{};
  for (std::size_t p = 0; p < back; ++p) earlier.at(p) = &steps_.at((count_ - 2 - p) % steps_.size());
  // Least squares of rest - sum of share x (rest - earlier rest).
  double aa = 0;
  double ab = 0;
  double bb = 0;
  double ar = 0;
  double br = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double r = now.rest[i];
    const double a = r - earlier[0]->rest[i];
    const double b = back > 1 ? r - earlier[1]->rest[i] : 0.0;
    aa += weights[i] * a * a;
    ab += weights[i] * a * b;
    bb += weights[i] * b * b;
    ar += weights[i] * a * r;
    br += weights[i] * b * r;
  }
  if (!(aa > 0)) return;
  // Two steps that say nearly the same are one.
  const double apart = aa * bb - ab * ab;
  const bool both = apart > 1e-3 * aa * bb;
  const double second = both ? (br * aa - ar * ab) / apart : 0.0;
  const double first = (ar - second * ab) / aa;
  if (!(std::max(std::fabs(first), std::fabs(second)) < most_share)) return;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double end = g[i];
    g[i] -= first * (end - earlier[0]->end[i]);
    if (both) g[i] -= second * (end - earlier[1]->end[i]);
  }
}

}  // namespace pyicg::detail
