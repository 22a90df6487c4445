#include "bright_regions.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "pyicg/calibrate.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

template <class Visit>
void each_pixel(const RegionFrame& f, const Component& c, std::int32_t label, const Visit& visit) {
  for (std::size_t y = c.y0; y <= c.y1; ++y) {
    const std::int32_t* row = f.labels.row(y);
    for (std::size_t x = c.x0; x <= c.x1; ++x) {
      if (row[x] == label) visit(y, x);
    }
  }
}

// Length and width of the ellipse of the same second moments.
struct Axes {
  double length, width;
};
Axes axes_of(const RegionFrame& f, const Component& c, std::int32_t label) {
  const auto n = static_cast<double>(c.area);
  double yy = 0, xx = 0, xy = 0;
  each_pixel(f, c, label, [&](std::size_t y, std::size_t x) {
    const double dy = static_cast<double>(y) - c.centroid_y();
    const double dx = static_cast<double>(x) - c.centroid_x();
    yy += dy * dy;
    xx += dx * dx;
    xy += dy * dx;
  });
  yy = yy / n + 1.0 / 12;  // a pixel's own square
  xx = xx / n + 1.0 / 12;
  xy /= n;
  const double mean = 0.5 * (yy + xx);
  const double apart = std::hypot(0.5 * (yy - xx), xy);
  return {4 * std::sqrt(mean + apart), 4 * std::sqrt(std::max(mean - apart, 1.0 / 12))};
}

bool sharper_than_optics(const RegionFrame& f, const Component& c, std::int32_t label, double level, double noise) {
  double peak = 0;
  each_pixel(f, c, label, [&](std::size_t y, std::size_t x) {
    peak = std::max(peak, static_cast<double>(f.data(y, x)) - level);  // NaN compares false
  });
  const auto over_half = [&](std::size_t y, std::size_t x) {
    return static_cast<double>(f.data(y, x)) - level > 0.5 * peak;
  };
  std::size_t tops = 0;
  double around = 0, n = 0;
  each_pixel(f, c, label, [&](std::size_t y, std::size_t x) {
    if (!over_half(y, x)) return;
    ++tops;
    for (std::size_t ny = y == 0 ? 0 : y - 1; ny < std::min(y + 2, f.data.height); ++ny) {
      for (std::size_t nx = x == 0 ? 0 : x - 1; nx < std::min(x + 2, f.data.width); ++nx) {
        if (over_half(ny, nx) || std::isnan(f.data(ny, nx))) continue;
        around += static_cast<double>(f.data(ny, nx)) - level;
        n += 1;
      }
    }
  });
  return tops <= 4 && n > 0 && around / n < 0.1 * peak - 2 * noise / std::sqrt(n);
}

// Share of the outline beside which, a little further out, there is nothing: the frame's border or an empty field.
double beside_nothing(const RegionFrame& f, const Component& c, std::int32_t label, double empty, double smooth_px) {
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 4> sides{{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}};
  const auto reach = static_cast<std::ptrdiff_t>(std::ceil(3 + 2 * smooth_px));
  const auto height = static_cast<std::ptrdiff_t>(f.smooth.height);
  const auto width = static_cast<std::ptrdiff_t>(f.smooth.width);
  double outline = 0, nothing = 0;
  each_pixel(f, c, label, [&](std::size_t py, std::size_t px) {
    for (const auto& side : sides) {
      const std::ptrdiff_t y = static_cast<std::ptrdiff_t>(py) + side[0];
      const std::ptrdiff_t x = static_cast<std::ptrdiff_t>(px) + side[1];
      const bool inside = y >= 0 && x >= 0 && y < height && x < width;
      if (inside && f.labels(static_cast<std::size_t>(y), static_cast<std::size_t>(x)) == label) continue;
      outline += 1;
      const std::ptrdiff_t fy = static_cast<std::ptrdiff_t>(py) + reach * side[0];
      const std::ptrdiff_t fx = static_cast<std::ptrdiff_t>(px) + reach * side[1];
      const bool seen = fy >= 0 && fx >= 0 && fy < height && fx < width;
      nothing +=
          !seen || static_cast<double>(f.smooth(static_cast<std::size_t>(fy), static_cast<std::size_t>(fx))) < empty;
    }
  });
  return nothing / outline;
}

}  // namespace

Reason why_no_rim(const RegionFrame& f, const Component& c, std::int32_t label, const Background& background,
                  double min_area_px, double smooth_px, std::vector<float>& scratch) {
  const auto area = static_cast<double>(c.area);
  if (area < min_area_px) {
    const bool hot = sharper_than_optics(f, c, label, background.level, background.sigma);
    return hot ? Reason::hot_pixel : Reason::below_min_area;
  }
  std::size_t saturated = 0;
  scratch.clear();
  each_pixel(f, c, label, [&](std::size_t y, std::size_t x) {
    saturated += (f.mask(y, x) & mask_saturated) != 0;
    scratch.push_back(f.smooth(y, x));
  });
  if (2 * saturated > c.area) return Reason::saturated_blob;
  const Axes axes = axes_of(f, c, label);
  const double elongation = axes.length / axes.width;
  if (elongation > 2 && beside_nothing(f, c, label, 0.2 * background.level, smooth_px) >= 0.3)
    return Reason::drape_edge;
  const double peak = static_cast<double>(*std::max_element(scratch.begin(), scratch.end())) - background.level;
  const double middle = median(scratch) - background.level;
  const bool small = area < 0.02 * static_cast<double>(f.data.size());
  if (small && peak > 10 * background.level && peak > 4 * middle) return Reason::glare;
  const double filled = area / (0.25 * std::numbers::pi * axes.length * axes.width);
  if (elongation > 3 || filled < 0.4) return Reason::elongated;
  return Reason::no_enclosed_core;
}

}  // namespace pyicg::detail
