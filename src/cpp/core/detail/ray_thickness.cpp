#include "ray_thickness.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

// y and x are not negative, and at most those of the last row and column.
inline double between(ImageView<const float> values, double y, double x) {
  const auto top = static_cast<std::ptrdiff_t>(y);
  const auto left = static_cast<std::ptrdiff_t>(x);
  const double down = y - static_cast<double>(top);
  const double right = x - static_cast<double>(left);
  const float* const upper = values.row(static_cast<std::size_t>(top)) + left;
  const float* const lower =
      static_cast<std::size_t>(top) + 1 < values.height ? values.row(static_cast<std::size_t>(top) + 1) + left : upper;
  const std::size_t next = static_cast<std::size_t>(left) + 1 < values.width ? 1 : 0;
  const auto along = [&](const float* row) {
    return (1 - right) * static_cast<double>(row[0]) + right * static_cast<double>(row[next]);
  };
  return (1 - down) * along(upper) + down * along(lower);
}

struct Radii {
  int first, last;
};

// No pixel of the region is nearer to the middle, nor farther, than these by a pixel and more: what is read there is 0.
Radii radii_of(std::span<const Run> runs, double middle_y, double middle_x) {
  double nearest = infinity;
  double farthest = 0;
  for (const Run& run : runs) {
    const double y = static_cast<double>(run.y) - middle_y;
    const double left = static_cast<double>(run.first) - middle_x;
    const double right = static_cast<double>(run.last) - middle_x;
    const double x = left > 0 ? left : std::min(right, 0.0);
    const double most = std::max(std::fabs(left), std::fabs(right));
    nearest = std::min(nearest, y * y + x * x);
    farthest = std::max(farthest, y * y + most * most);
  }
  constexpr double beside = 1.5;  // a pixel's diagonal
  return {std::max(static_cast<int>(std::sqrt(nearest) - beside), 0), static_cast<int>(std::sqrt(farthest) + beside)};
}

}  // namespace

RayThickness::RayThickness() : directions_{} {
  for (std::size_t k = 0; k < thickness_rays; ++k) {
    const double angle = static_cast<double>(k) * (2 * std::numbers::pi / static_cast<double>(thickness_rays));
    directions_.at(k) = {std::sin(angle), std::cos(angle)};
  }
}

// From one pixel to its neighbour a distance changes by at most 1, so along a ray by at most |dy| + |dx| a pixel. Where
// it is far below the largest so far, the next places cannot exceed that and are passed over. Where the ray before had
// its largest is a good first place to look at.
void RayThickness::measure(ImageView<const float> distances, std::span<const Run> runs, std::size_t y0, std::size_t x0,
                           std::span<float, thickness_rays> thickness) const {
  const auto height = static_cast<double>(distances.height);
  const auto width = static_cast<double>(distances.width);
  const Radii radii = radii_of(runs, static_cast<double>(y0) + height / 2, static_cast<double>(x0) + width / 2);
  constexpr double rounding = 1e-9;
  int thickest = radii.first;
  for (std::size_t k = 0; k < thickness_rays; ++k) {
    const Direction& direction = directions_[k];
    const double per_rise = 1 / (std::fabs(direction.y) + std::fabs(direction.x));  // pixels along the ray
    double most = 0;
    const auto look = [&](int radius, double& value) {
      const double y = height / 2 + radius * direction.y;
      const double x = width / 2 + radius * direction.x;
      if (!(y >= 0 && x >= 0 && y <= height - 1 && x <= width - 1)) return false;
      value = between(distances, y, x);
      if (value > most) {
        most = value;
        thickest = radius;
      }
      return true;
    };
    double value = 0;
    look(thickest, value);
    bool inside = false;
    for (int radius = radii.first; radius <= radii.last;) {
      if (look(radius, value)) {
        inside = true;
        radius += 1 + static_cast<int>((most - value) * per_rise - rounding);
      } else {
        if (inside) break;  // and does not come back
        ++radius;
      }
    }
    thickness[k] = static_cast<float>(2 * most);
  }
}

}  // namespace pyicg::detail
