#include "pyicg/residual.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "detail/bright.hpp"
#include "detail/label.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/distance.hpp"

namespace pyicg {

Residual residual_fluorescence(ImageView<const std::uint8_t> mask, const Background& background, double sbr_cut,
                               double min_area_px, double smooth_px, RimWorkspace& ws) {
  const std::size_t height = mask.height;
  const std::size_t width = mask.width;
  const ImageView<const float> smooth{ws.smooth.data(), height, width};
  const auto bright = detail::plane(ws.bright, height, width);
  const auto components = detail::plane(ws.components, height, width);
  const double level = detail::bright_level(background, sbr_cut, smooth_px);
  // Labels the pixels that `belongs` holds for, and counts the saturated ones of each region.
  std::vector<detail::Component> regions;
  std::vector<std::size_t> saturated;
  const auto label = [&](auto&& belongs) {
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        bright(y, x) = (mask(y, x) & mask_excluded) == 0 && belongs(y, x) ? 1 : 0;
      }
    }
    regions = detail::label_components(bright, 1, detail::Connectivity::eight, components);
    saturated.assign(regions.size(), 0);
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        const std::int32_t k = components(y, x);
        if (k > 0 && (mask(y, x) & mask_saturated) != 0) ++saturated[static_cast<std::size_t>(k - 1)];
      }
    }
  };
  const auto over = [&](std::size_t y, std::size_t x) { return static_cast<double>(smooth(y, x)) > level; };

  Residual residual;
  bool any_saturated = false;
  for (std::size_t y = 0; y < height; ++y) {
    any_saturated |=
        std::any_of(mask.row(y), mask.row(y) + width, [](auto bits) { return (bits & mask_saturated) != 0; });
  }
  if (any_saturated) {
    // Saturated pixels under the cut may truly lie over it: a region that is large enough with them is no negative.
    label([&](std::size_t y, std::size_t x) { return over(y, x) || (mask(y, x) & mask_saturated) != 0; });
    for (std::size_t k = 0; k < regions.size(); ++k) {
      residual.saturated |= saturated[k] > 0 && static_cast<double>(regions[k].area) >= min_area_px;
    }
  }
  label(over);
  std::vector<HotSpot> spots(regions.size());
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      if (components(y, x) == 0) continue;
      const auto k = static_cast<std::size_t>(components(y, x) - 1);
      const double sbr = static_cast<double>(smooth(y, x)) / background.level;
      if (!(sbr <= spots[k].peak_sbr)) {
        spots[k] = {sbr, static_cast<double>(y), static_cast<double>(x), static_cast<double>(regions[k].area),
                    saturated[k] > 0};
      }
    }
  }
  for (std::size_t k = 0; k < regions.size(); ++k) {
    const auto area = static_cast<double>(regions[k].area);
    if (area < min_area_px) continue;
    residual.hot_spots.push_back(spots[k]);
    residual.area_px += area;
    residual.sign |= area - static_cast<double>(saturated[k]) >= min_area_px;
  }
  std::stable_sort(residual.hot_spots.begin(), residual.hot_spots.end(),
                   [](const HotSpot& a, const HotSpot& b) { return a.peak_sbr > b.peak_sbr; });
  // What is too small to count is not bright either.
  for (std::size_t i = 0; i < ws.bright.size(); ++i) {
    const std::int32_t k = ws.components[i];
    if (k > 0 && static_cast<double>(regions[static_cast<std::size_t>(k - 1)].area) < min_area_px) ws.bright[i] = 0;
  }
  return residual;
}

Sign fluorescent_sign(const Residual& residual) {
  if (residual.sign) return Sign::positive;
  return residual.saturated ? Sign::unknown : Sign::negative;
}

void keep_deep_half(ImageView<std::uint8_t> region, RimWorkspace& ws) {
  const auto labels = detail::plane(ws.components, region.height, region.width);
  std::vector<std::uint8_t> box;
  std::vector<float> depth;
  std::int32_t label = 0;
  for (const auto& c : detail::label_components(region, 1, detail::Connectivity::eight, labels)) {
    ++label;
    // The box with a border of zeros: the image's own edge bounds a region too.
    const std::size_t height = c.y1 - c.y0 + 3;
    const std::size_t width = c.x1 - c.x0 + 3;
    box.assign(height * width, 0);
    depth.resize(height * width);
    const auto each = [&](auto&& visit) {
      for (std::size_t y = c.y0; y <= c.y1; ++y) {
        for (std::size_t x = c.x0; x <= c.x1; ++x) {
          if (labels(y, x) == label) visit(region(y, x), (y - c.y0 + 1) * width + (x - c.x0 + 1));
        }
      }
    };
    each([&](std::uint8_t&, std::size_t i) { box[i] = 1; });
    distance_transform(box, {1, height, width}, {1.0, 1.0, 1.0}, depth);
    const float half = 0.5F * *std::max_element(depth.begin(), depth.end());
    each([&](std::uint8_t& pixel, std::size_t i) { pixel = depth[i] >= half ? 1 : 0; });
  }
}

}  // namespace pyicg
