// The policy `mode`: where most tiles of a frame lie, however bright the lesion and however dark the drape.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../kernels/tile_rows.hpp"
#include "background_parts.hpp"
#include "detail/mode.hpp"

namespace pyicg {
namespace {

using Buffers = BackgroundWorkspace::Buffers;

// Sums over the tiles of the peak, each with its weight.
struct Peak {
  double weights = 0;
  double n = 0;
  double level = 0;
  double within = 0;   // variance of a pixel inside a tile
  double between = 0;  // variance of the tiles' means
  double noise = 0;    // camera noise of a pixel

  [[nodiscard]] double per_tile() const { return n / weights; }
  // Standard deviation of a pixel: tiles scatter by what lies between them and by 1/n of what lies within.
  [[nodiscard]] double sigma() const { return std::sqrt(within + std::max(between - within / per_tile(), 0.0)); }
};

Peak sum_peak(const detail::Tiles& tiles, double around, const std::vector<double>& weights) {
  Peak p;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const double w = weights[i];
    const double d = static_cast<double>(tiles.mean[i]) - around;
    p.weights += w;
    p.n += w * static_cast<double>(tiles.n[i]);
    p.level += w * d;
    p.within += w * tiles.within[i];
    p.between += w * d * d;
    p.noise += w * tiles.noise[i];
  }
  p.level /= p.weights;
  p.within /= p.weights;
  p.between = p.between / p.weights - p.level * p.level;
  p.noise /= p.weights;
  p.level += around;
  return p;
}

detail::Mode mode_of(const std::vector<float>& values, double step, Buffers& ws) {
  return detail::find_mode(values, detail::densest_interval(values, ws.bins), step, ws.bins);
}

detail::Mode mode_of_means(double step, std::size_t edge, const detail::Prevalent& prevalent, Buffers& ws) {
  // Noise of half a count dithers the counts, and the mean of a tile then has finer steps than a pixel.
  const bool dithered = prevalent.noise >= 0.5 * step;
  return mode_of(ws.tiles.mean, dithered ? step / static_cast<double>(edge * edge) : step, ws);
}

// Correlation of the tiles' weighted means.
detail::Correlation blocked(double level, Buffers& ws) {
  const detail::Tiles& tiles = ws.tiles;
  ws.blocks.reset(tiles.rows(), tiles.columns(), 2);
  for (std::size_t r = 0, i = 0; r < tiles.rows(); ++r) {
    ws.influences.assign(tiles.columns(), nan);
    for (; i < tiles.size() && tiles.row[i] == r; ++i) {
      ws.influences[tiles.column[i]] = ws.weights[i] * (static_cast<double>(tiles.mean[i]) - level);
    }
    ws.blocks.add_row(ws.influences.data());
  }
  return ws.blocks.correlation();
}

// Mode of the tiles' means, where the noise of a tile is small.
Background mode_of_tiles(const CalibratedView& frame, std::size_t edge, const detail::Prevalent& prevalent,
                         std::size_t n_selected, Buffers& ws) {
  const detail::Tiles& tiles = ws.tiles;
  const detail::Mode mode = mode_of_means(frame.step, edge, prevalent, ws);
  detail::weigh(mode, tiles.mean, ws.weights);
  Peak peak = sum_peak(tiles, mode.level, ws.weights);
  const detail::Correlation found = blocked(mode.level, ws);
  const double per_tile = peak.per_tile();
  Background b;
  b.level = mode.level;
  b.n_pixels = std::min(static_cast<std::size_t>(std::lround(mode.held * per_tile)), n_selected);
  // The scatter of all pixels, however unevenly the noise is spread: over tiles of at least 4 x 4, by their own peak.
  constexpr std::size_t least_edge = 4;
  detail::Mode spread = mode;
  if (edge < least_edge) {
    detail::make_tiles(frame, least_edge, prevalent.range, false, ws.tiles);
    if (tiles.size() >= min_background_pixels) {
      spread = mode_of_means(frame.step, least_edge, prevalent, ws);
      const double noise = peak.noise;
      detail::weigh(spread, tiles.mean, ws.weights);
      peak = sum_peak(tiles, spread.level, ws.weights);
      peak.noise = noise;
    }
  }
  // The weights narrow the tiles' scatter: 1/v = 1/sigma^2 + 1/h^2.
  const double h2 = spread.weights_sigma * spread.weights_sigma;
  if (peak.between < 0.8 * h2) peak.between /= 1 - peak.between / h2;
  const bool enough = peak.weights >= static_cast<double>(min_background_pixels);
  b.sigma = enough ? peak.sigma() : mode.sigma;
  set_error(b,
            {.white = mode.sigma * std::sqrt(mode.efficiency / mode.held),
             .noise_variance = peak.noise,
             .correlation = found,
             .pixels_per_value = per_tile,
             .efficiency = mode.efficiency},
            frame.step);
  return b;
}

// Mean of the tiles whose surroundings belong to the mode of all surroundings, where a single tile is too noisy to
// tell.
Background mode_of_surroundings(const CalibratedView& frame, std::size_t window, bool lesion_may_hide, Buffers& ws) {
  constexpr double belongs = 2.5;  // sigma
  // A lesion that is no brighter than what belongs cannot be told from the background and lifts its level: bounded in
  // simulation over 2 to 40 % of the frame, an allowance of ours.
  constexpr double hidden_lesion = 0.4;  // sigma
  const detail::Tiles& tiles = ws.tiles;
  detail::moving_means(ws.tiles, window, ws.deviations);
  const detail::Mode mode = mode_of(ws.deviations, 0, ws);
  const double rounding = 1e-6 * std::fabs(mode.level);  // of float means, where nothing else scatters
  ws.weights.resize(tiles.size());
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const double d = static_cast<double>(ws.deviations[i]) - mode.level;
    ws.weights[i] = std::fabs(d) <= belongs * mode.sigma + rounding ? static_cast<double>(tiles.n[i]) : 0.0;
  }
  // Twice: a tile that itself lies far from the others holds an edge of the lesion that its surroundings hide.
  const Peak first = sum_peak(tiles, mode.level, ws.weights);
  const double reach = belongs * std::sqrt(std::max(first.between, 0.0)) + rounding;
  double n = 0;
  double kept = 0;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    double& w = ws.weights[i];
    if (!(std::fabs(static_cast<double>(tiles.mean[i]) - first.level) <= reach)) w = 0;
    n += w;
    kept += w > 0 ? 1 : 0;
  }
  Peak peak = sum_peak(tiles, first.level, ws.weights);
  peak.between /= 0.911;  // variance of a normal distribution within 2.5 sigma
  Background b;
  b.level = peak.level;
  b.n_pixels = static_cast<std::size_t>(std::lround(n));
  b.sigma = peak.sigma();
  set_error(b,
            {.white = std::sqrt(std::max(peak.between, 0.0) / kept),
             .noise_variance = peak.noise,
             .correlation = blocked(peak.level, ws),
             .pixels_per_value = n / kept},
            frame.step);
  if (lesion_may_hide) {
    b.budget.heterogeneity = std::hypot(b.budget.heterogeneity, hidden_lesion * mode.sigma);
    b.sem = b.budget.total();
  }
  return b;
}

Background mode_of_selected(const CalibratedView& frame, const Selection& selection, std::size_t n_selected,
                            bool lesion_excluded, Buffers& ws) {
  constexpr std::size_t min_tiles = 32;
  constexpr double harmless_cut = 0.002;
  const detail::Prevalent prevalent = detail::prevalent_level(frame, ws.prevalent);
  detail::TilePlan plan = detail::plan_tiles(frame, prevalent, n_selected);
  const auto make = [&] { detail::make_tiles(frame, plan.edge, prevalent.range, selection.exact_zeros > 0, ws.tiles); };
  make();
  const bool any_cut = selection.zeros > 0;
  double n = 0;
  double cut = 0;
  for (std::size_t i = 0; any_cut && i < ws.tiles.size(); ++i) {
    const double d = std::fabs(static_cast<double>(ws.tiles.mean[i]) - prevalent.level);
    if (d > 3 * prevalent.noise) continue;
    n += static_cast<double>(ws.tiles.n[i]);
    cut += static_cast<double>(ws.tiles.cut[i]);
  }
  // The mean of what is left of a tail that was cut off is no measure of the level: then every pixel for itself. A thin
  // region fills few tiles: then smaller ones.
  if (plan.edge * plan.window > 1 && cut > harmless_cut * (n + cut)) {
    plan = {};
    make();
  }
  while (plan.edge > 1 && ws.tiles.size() < min_tiles) {
    plan = {plan.edge / 2, 1};
    make();
  }
  return plan.window > 1 ? mode_of_surroundings(frame, plan.window, !lesion_excluded && !plan.fine, ws)
                         : mode_of_tiles(frame, plan.edge, prevalent, n_selected, ws);
}

// Leaves out what does not lie over a dark field. Returns how many pixels are left; 0: too little for a specimen.
std::size_t leave_out_field(const Background& field, CalibratedView& frame, std::size_t n_selected, Buffers& ws) {
  constexpr double share = 0.1;
  // The field's own spread, and light that strays into it from the specimen.
  const double ends = std::max(field.level + 10 * field.sigma, 5 * field.level);
  const float limit = detail::greatest_float(ends);  // no float lies between the two
  const auto are_few = [&](std::size_t over) {
    return over < min_background_pixels || static_cast<double>(over) < share * static_cast<double>(n_selected);
  };
  if (limit >= ws.tiles.highest && are_few(ws.tiles.above)) return 0;
  kernels::RowCounts counts;
  for (std::size_t y = 0; y < frame.data.height; ++y) {
    kernels::tile_kernels().count(frame.data.row(y), frame.mask.row(y), mask_left_out, limit, frame.data.width,
                                  &counts);
  }
  if (are_few(counts.over)) return 0;
  ws.mask.resize(frame.data.size());
  for (std::size_t y = 0, i = 0; y < frame.data.height; ++y) {
    for (std::size_t x = 0; x < frame.data.width; ++x, ++i) {
      const std::uint8_t bits = frame.mask(y, x);
      ws.mask[i] = (bits & mask_left_out) != 0 || frame.data(y, x) > limit ? bits : std::uint8_t{mask_excluded};
    }
  }
  frame.mask = {ws.mask.data(), frame.data.height, frame.data.width};
  return counts.over;
}

}  // namespace

Background mode_background(const Selection& selection, bool lesion_excluded, Buffers& ws) {
  CalibratedView frame = selection.frame;
  Background b = mode_of_selected(frame, selection, selection.n, lesion_excluded, ws);
  if (selection.piled_up_at_zero(b.level, b.sigma, clipped_share_of_mode)) return b;
  // Published tumour-to-liver ratios end at 18.7 (van der Vorst 2013), so what most of the rest exceeds 22-fold is no
  // liver: it is the table around a specimen.
  constexpr double beyond_any_lesion = 22;
  const std::size_t left = leave_out_field(b, frame, selection.n, ws);
  if (left == 0) return b;
  Background tissue = mode_of_selected(frame, selection, left, lesion_excluded, ws);
  if (!(tissue.level > beyond_any_lesion * b.level)) return b;
  tissue.empty_field = true;
  return tissue;
}

}  // namespace pyicg
