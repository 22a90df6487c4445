#include "contour_normals.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "polar.hpp"

namespace pyicg::detail {
namespace {

// How far the contour lies inside the tangent of vertex k, `along` px along it.
double fall(const std::vector<ContourNormal>& contour, std::size_t k, double ty, double tx, double along) {
  const std::size_t n = contour.size();
  const ContourNormal& v = contour[k];
  double place = 0;
  double depth = 0;
  for (std::size_t i = 1; i <= n / 4; ++i) {
    const ContourNormal& p = contour[(along > 0 ? k + i : k + n - i) % n];
    const double next_place = (p.y - v.y) * ty + (p.x - v.x) * tx;
    const double next_depth = -((p.y - v.y) * v.dy + (p.x - v.x) * v.dx);
    if (std::fabs(next_place) >= std::fabs(along)) {
      const double share = (along - place) / (next_place - place);
      return depth + share * (next_depth - depth);
    }
    place = next_place;
    depth = next_depth;
  }
  return depth;
}

}  // namespace

std::vector<ContourNormal> contour_normals(const std::vector<double>& own, const std::vector<double>& other, bool inner,
                                           double sigma_px) {
  const std::size_t n = own.size();
  const double step_angle = 2 * std::numbers::pi / static_cast<double>(n);
  std::vector<ContourNormal> out(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = step_angle * static_cast<double>(k);
    out[k].y = own[k] * std::sin(angle);
    out[k].x = own[k] * std::cos(angle);
  }
  for (std::size_t k = 0; k < n; ++k) {
    ContourNormal& v = out[k];
    const ContourNormal& before = out[(k + n - 1) % n];
    const ContourNormal& after = out[(k + 1) % n];
    v.arc = 0.5 * (std::hypot(v.y - before.y, v.x - before.x) + std::hypot(after.y - v.y, after.x - v.x));
  }
  for (std::size_t k = 0; k < n; ++k) {
    ContourNormal& v = out[k];
    // Direction and curvature over the width of the blur: what the blur sees of the contour.
    const auto q = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(1.36 * sigma_px / v.arc)), 1, n / 8);
    const ContourNormal& before = out[(k + n - q) % n];
    const ContourNormal& after = out[(k + q) % n];
    const double ty = after.y - before.y;
    const double tx = after.x - before.x;
    const double length = std::hypot(ty, tx);
    v.dy = -tx / length;
    v.dx = ty / length;
    if (v.dy * v.y + v.dx * v.x < 0) {
      v.dy = -v.dy;
      v.dx = -v.dx;
    }
    for (std::size_t node = 0; node < blur_nodes.size(); ++node) {
      v.falls.at(node) = fall(out, k, ty / length, tx / length, blur_nodes.at(node) * sigma_px);
    }
    v.slant = std::max((v.dy * v.y + v.dx * v.x) / std::hypot(v.y, v.x), 0.2);
    const double way = inner ? 1 : -1;
    double t = std::fabs(other[k] - own[k]) * v.slant;
    for (int i = 0; i < 4; ++i) {
      const double py = v.y + way * t * v.dy;
      const double px = v.x + way * t * v.dx;
      t += way * (between(other, rays_towards(py, px, other.size())) - std::hypot(py, px)) * v.slant;
      t = std::max(t, 0.0);
    }
    v.other = t;
  }
  return out;
}

}  // namespace pyicg::detail
