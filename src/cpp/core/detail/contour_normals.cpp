#include "contour_normals.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "polar.hpp"

namespace pyicg::detail {
namespace {

constexpr double near_enough = 1e-4;  // px: the next step would be a small part of it

static_assert(blur_nodes.size() == 5 && blur_nodes[2] == 0);

// How far the contour lies inside the tangent (ty, tx) of vertex k at a nearer and a farther place along it, both on
// the side of the vertices after k or (`forward` false) before it.
struct Falls {
  double near, far;
};
Falls falls_on_one_side(const std::vector<ContourNormal>& contour, std::size_t k, double ty, double tx, bool forward,
                        double near, double far) {
  const std::size_t n = contour.size();
  const ContourNormal& v = contour[k];
  Falls found{};
  bool near_passed = false;
  double place = 0;
  double depth = 0;
  std::size_t at = k;
  for (std::size_t i = 1; i <= n / 4; ++i) {
    at = forward ? (at + 1 < n ? at + 1 : 0) : (at > 0 ? at - 1 : n - 1);
    const ContourNormal& p = contour[at];
    const double next_place = (p.y - v.y) * ty + (p.x - v.x) * tx;
    const double next_depth = -((p.y - v.y) * v.dy + (p.x - v.x) * v.dx);
    const auto depth_at = [&](double along) {
      return depth + (along - place) / (next_place - place) * (next_depth - depth);
    };
    if (!near_passed && std::fabs(next_place) >= std::fabs(near)) {
      near_passed = true;
      found.near = depth_at(near);
    }
    if (std::fabs(next_place) >= std::fabs(far)) {
      found.far = depth_at(far);
      return found;
    }
    place = next_place;
    depth = next_depth;
  }
  return {near_passed ? found.near : depth, depth};
}

}  // namespace

void RayDirections::set(std::size_t n) {
  y.clear();
  x.clear();
  const double step_angle = 2 * std::numbers::pi / static_cast<double>(n);
  for (std::size_t k = 0; k < n; ++k) {
    y.push_back(std::sin(step_angle * static_cast<double>(k)));
    x.push_back(std::cos(step_angle * static_cast<double>(k)));
  }
}

void set_normals(const std::vector<double>& own, const RayDirections& rays, double sigma_px,
                 std::vector<ContourNormal>& normals) {
  const std::size_t n = own.size();
  normals.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    normals[k].y = own[k] * rays.y[k];
    normals[k].x = own[k] * rays.x[k];
  }
  const auto way_to = [&](std::size_t from, std::size_t to) {
    return std::hypot(normals[to].y - normals[from].y, normals[to].x - normals[from].x);
  };
  double before = way_to(n - 1, 0);
  for (std::size_t k = 0; k < n; ++k) {
    const double after = way_to(k, k + 1 < n ? k + 1 : 0);
    normals[k].arc = 0.5 * (before + after);
    before = after;
  }
  for (std::size_t k = 0; k < n; ++k) {
    ContourNormal& v = normals[k];
    // Direction and curvature over the width of the blur: what the blur sees of the contour.
    const auto q = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(1.36 * sigma_px / v.arc)), 1, n / 8);
    const ContourNormal& low = normals[(k + n - q) % n];
    const ContourNormal& high = normals[(k + q) % n];
    const double ty = high.y - low.y;
    const double tx = high.x - low.x;
    const double length = std::hypot(ty, tx);
    v.dy = -tx / length;
    v.dx = ty / length;
    if (v.dy * v.y + v.dx * v.x < 0) {
      v.dy = -v.dy;
      v.dx = -v.dx;
    }
    const auto side = [&](bool forward, double near, double far) {
      return falls_on_one_side(normals, k, ty / length, tx / length, forward, near * sigma_px, far * sigma_px);
    };
    const Falls low_side = side(false, blur_nodes[1], blur_nodes[0]);
    const Falls high_side = side(true, blur_nodes[3], blur_nodes[4]);
    v.falls = {low_side.far, low_side.near, 0, high_side.near, high_side.far};
    v.slant = std::max((v.dy * v.y + v.dx * v.x) / std::hypot(v.y, v.x), 0.2);
  }
}

double distance_to_other(const std::vector<double>& own, const ContourNormal& normal, std::size_t k,
                         const std::vector<double>& other, bool inner) {
  const double way = inner ? 1 : -1;
  double t = std::fabs(other[k] - own[k]) * normal.slant;
  for (int i = 0; i < 4; ++i) {
    const double py = normal.y + way * t * normal.dy;
    const double px = normal.x + way * t * normal.dx;
    const double short_by =
        way * (between(other, rays_towards(py, px, other.size())) - std::sqrt(py * py + px * px)) * normal.slant;
    t = std::max(t + short_by, 0.0);
    if (std::fabs(short_by) < near_enough) break;
  }
  return t;
}

}  // namespace pyicg::detail
