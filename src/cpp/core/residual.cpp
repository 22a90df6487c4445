#include "pyicg/residual.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/pixel_bits.hpp"
#include "detail/bright.hpp"
#include "detail/label.hpp"
#include "detail/residual_regions.hpp"
#include "pyicg/calibrate.hpp"

namespace pyicg {
namespace {

// Regions over the level. Saturated pixels may truly lie over it: `with_saturated` takes them in. Excluded ones are in
// no region.
void find_regions(const RimWorkspace& frame, ImageView<const std::uint8_t> mask, double level, bool with_saturated,
                  detail::ResidualRegions& ws) {
  const kernels::BitKernels& bits = kernels::bit_kernels();
  const float limit = detail::not_over(level);
  ws.words.resize(kernels::words_of(mask.width));
  ws.found.find(mask.height, mask.width, detail::Connectivity::eight, [&](std::size_t y, std::span<std::uint64_t> row) {
    if (frame.row_most[y] > limit) {
      bits.over(frame.smooth.data() + y * mask.width, limit, mask.width, row.data());
    } else {
      std::fill(row.begin(), row.end(), std::uint64_t{0});
      if (!with_saturated) return;
    }
    const std::uint8_t any = ws.row_bits[y];
    if (with_saturated && (any & mask_saturated) != 0) {
      bits.any_of(mask.row(y), mask_saturated, mask.width, ws.words.data());
      for (std::size_t w = 0; w < row.size(); ++w) row[w] |= ws.words[w];
    }
    if ((any & mask_excluded) != 0) {
      bits.any_of(mask.row(y), mask_excluded, mask.width, ws.words.data());
      for (std::size_t w = 0; w < row.size(); ++w) row[w] &= ~ws.words[w];
    }
  });
  ws.saturated.assign(ws.found.components().size(), 0);
  for (const detail::Run& run : ws.found.runs()) {
    const std::uint8_t* row = mask.row(run.y);
    std::size_t saturated = 0;
    for (std::size_t x = run.first; x <= run.last; ++x) saturated += (row[x] & mask_saturated) != 0 ? 1U : 0U;
    ws.saturated[run.component] += saturated;
  }
}

}  // namespace

void residual_fluorescence(ImageView<const std::uint8_t> mask, const Background& background, double sbr_cut,
                           double min_area_px, double smooth_px, RimWorkspace& ws, Residual& residual) {
  const ImageView<const float> smooth{ws.smooth.data(), mask.height, mask.width};
  const double level = detail::bright_level(background, sbr_cut, smooth_px);
  detail::ResidualRegions& regions = *ws.residual;
  const auto counts = [&](const detail::Component& c) { return static_cast<double>(c.area) >= min_area_px; };

  residual.hot_spots.clear();
  residual.area_px = 0;
  residual.sign = residual.saturated = false;
  regions.row_bits.resize(mask.height);
  for (std::size_t y = 0; y < mask.height; ++y) {
    regions.row_bits[y] = kernels::bit_kernels().all_bits(mask.row(y), mask.width);
  }
  if (std::ranges::any_of(regions.row_bits, [](std::uint8_t bits) { return (bits & mask_saturated) != 0; })) {
    // A region that is large enough with its saturated pixels is no negative.
    find_regions(ws, mask, level, true, regions);
    const auto& with_them = regions.found.components();
    for (std::size_t k = 0; k < with_them.size(); ++k) {
      residual.saturated |= regions.saturated[k] > 0 && counts(with_them[k]);
    }
  }
  find_regions(ws, mask, level, false, regions);
  const std::vector<detail::Component>& all = regions.found.components();
  regions.spots.assign(all.size(), HotSpot{});
  for (const detail::Run& run : regions.found.runs()) {
    HotSpot& spot = regions.spots[run.component];
    const float* row = smooth.row(run.y);
    for (std::size_t x = run.first; x <= run.last; ++x) {
      const double sbr = static_cast<double>(row[x]) / background.level;
      if (!(sbr <= spot.peak_sbr)) {
        spot = {sbr, static_cast<double>(run.y), static_cast<double>(x), static_cast<double>(all[run.component].area),
                regions.saturated[run.component] > 0};
      }
    }
  }
  std::vector<std::size_t>& large = regions.large;
  large.clear();
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (!counts(all[k])) continue;
    const auto area = static_cast<double>(all[k].area);
    large.push_back(k);
    residual.area_px += area;
    residual.sign |= area - static_cast<double>(regions.saturated[k]) >= min_area_px;
  }
  const auto brighter = [&](std::size_t i, std::size_t k) {
    return regions.spots[large[i]].peak_sbr > regions.spots[large[k]].peak_sbr;
  };
  for (const std::size_t i : regions.order.sort(large.size(), brighter)) {
    residual.hot_spots.push_back(regions.spots[large[i]]);
  }
}

void mark_residual(double min_area_px, ImageView<std::uint8_t> out, const RimWorkspace& ws) {
  for (std::size_t y = 0; y < out.height; ++y) std::fill_n(out.row(y), out.width, std::uint8_t{0});
  const detail::RunComponents& found = ws.residual->found;
  for (const detail::Run& run : found.runs()) {
    if (static_cast<double>(found.components()[run.component].area) < min_area_px) continue;
    std::fill_n(out.row(run.y) + run.first, run.last - run.first + 1, std::uint8_t{1});
  }
}

PixelBox mark_spot(const HotSpot& spot, double least, ImageView<std::uint8_t> out, const RimWorkspace& ws) {
  const auto y = static_cast<std::uint32_t>(spot.peak_y);
  const auto x = static_cast<std::uint32_t>(spot.peak_x);
  const std::span<const detail::Run> runs = ws.residual->found.runs();
  const auto at = std::find_if(runs.begin(), runs.end(),
                               [&](const detail::Run& run) { return run.y == y && run.first <= x && x <= run.last; });
  if (at == runs.end()) return {};
  for (const detail::Run& run : runs) {
    if (run.component != at->component) continue;
    const float* smooth = ws.smooth.data() + run.y * out.width;
    for (std::size_t i = run.first; i <= run.last; ++i) {
      out(run.y, i) = static_cast<double>(smooth[i]) > least ? 1 : 0;
    }
  }
  const detail::Component& region = ws.residual->found.components()[at->component];
  return {region.y0, region.x0, region.y1 + 1, region.x1 + 1};
}

Sign fluorescent_sign(const Residual& residual) {
  if (residual.sign) return Sign::positive;
  return residual.saturated ? Sign::unknown : Sign::negative;
}

void keep_deep_half(ImageView<std::uint8_t> region, RimWorkspace& ws) {
  detail::ResidualRegions& own = *ws.residual;
  const kernels::BitKernels& bits = kernels::bit_kernels();
  own.deep.find(
      region.height, region.width, detail::Connectivity::eight,
      [&](std::size_t y, std::span<std::uint64_t> row) { bits.equal(region.row(y), 1, region.width, row.data()); });
  own.deep.sort_by_component();
  for (std::span<const detail::Run> rest = own.deep.runs(); !rest.empty();) {
    const std::uint32_t component = rest.front().component;
    const detail::Component& c = own.deep.components()[component];
    const auto end = std::ranges::find_if(rest, [&](const detail::Run& run) { return run.component != component; });
    const auto runs = rest.first(static_cast<std::size_t>(end - rest.begin()));
    rest = rest.subspan(runs.size());
    // The box with a border of zeros: the image's own edge bounds a region too.
    const std::size_t height = c.y1 - c.y0 + 3;
    const std::size_t width = c.x1 - c.x0 + 3;
    const auto in_box = [&](const detail::Run& run) { return (run.y - c.y0 + 1) * width + run.first - c.x0 + 1; };
    own.box.assign(height * width, 0);
    own.depth.resize(height * width);
    for (const detail::Run& run : runs) std::fill_n(own.box.data() + in_box(run), run.last - run.first + 1, 1);
    const detail::DistanceField distances({height, 1, width}, {1, 1, 1}, own.distances);
    distances.count(own.box, own.depth);
    distances.distances(own.box, own.depth);
    const float half = 0.5F * *std::max_element(own.depth.begin(), own.depth.end());
    for (const detail::Run& run : runs) {
      const float* depth = own.depth.data() + in_box(run);
      for (std::size_t x = run.first; x <= run.last; ++x) region(run.y, x) = depth[x - run.first] >= half ? 1 : 0;
    }
  }
}

}  // namespace pyicg
