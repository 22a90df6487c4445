// The policy `mode`: where most tiles of a frame lie, however bright the lesion and however dark the drape.
#include <algorithm>
#include <cmath>
#include <vector>

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

template <class Weight>
Peak sum_peak(const std::vector<detail::Tile>& tiles, double around, const Weight& weight) {
  Peak p;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const double w = weight(i);
    const double d = static_cast<double>(tiles[i].mean) - around;
    p.weights += w;
    p.n += w * static_cast<double>(tiles[i].n);
    p.level += w * d;
    p.within += w * tiles[i].within;
    p.between += w * d * d;
    p.noise += w * tiles[i].noise;
  }
  p.level /= p.weights;
  p.within /= p.weights;
  p.between = p.between / p.weights - p.level * p.level;
  p.noise /= p.weights;
  p.level += around;
  return p;
}

detail::Mode mode_of_means(double step, std::size_t edge, const detail::Prevalent& prevalent, Buffers& ws) {
  ws.values.clear();
  for (const detail::Tile& tile : ws.tiles.filled) ws.values.push_back(tile.mean);
  // Noise of half a count dithers the counts, and the mean of a tile then has finer steps than a pixel.
  const bool dithered = prevalent.noise >= 0.5 * step;
  return detail::find_mode(ws.values, dithered ? step / static_cast<double>(edge * edge) : step);
}

// Mode of the tiles' means, where the noise of a tile is small.
Background mode_of_tiles(const CalibratedView& frame, std::size_t edge, const detail::Prevalent& prevalent,
                         std::size_t n_selected, Buffers& ws) {
  const std::vector<detail::Tile>& tiles = ws.tiles.filled;
  const detail::Mode mode = mode_of_means(frame.step, edge, prevalent, ws);
  ws.blocks.reset(ws.tiles.rows(), ws.tiles.columns(), 2);
  Peak peak = sum_peak(tiles, mode.level, [&](std::size_t i) {
    const auto mean = static_cast<double>(tiles[i].mean);
    const double w = mode.weight(mean);
    ws.blocks.add(tiles[i].row, tiles[i].column, w * (mean - mode.level));
    return w;
  });
  const detail::Correlation found = ws.blocks.correlation();
  const double per_tile = peak.per_tile();
  Background b;
  b.level = mode.level;
  b.n_pixels = std::min(static_cast<std::size_t>(std::lround(mode.held * per_tile)), n_selected);
  // The scatter of all pixels, however unevenly the noise is spread: over tiles of at least 4 x 4, by their own peak.
  constexpr std::size_t least_edge = 4;
  detail::Mode spread = mode;
  if (edge < least_edge) {
    detail::make_tiles(frame, ws.selected, least_edge, prevalent.range, false, ws.tiles);
    if (tiles.size() >= min_background_pixels) {
      spread = mode_of_means(frame.step, least_edge, prevalent, ws);
      const double noise = peak.noise;
      peak = sum_peak(tiles, spread.level,
                      [&](std::size_t i) { return spread.weight(static_cast<double>(tiles[i].mean)); });
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
  const std::vector<detail::Tile>& tiles = ws.tiles.filled;
  detail::moving_means(ws.tiles, window, ws.deviations);
  ws.values = ws.deviations;  // find_mode only reads, but the order must stay that of the tiles
  const detail::Mode mode = detail::find_mode(ws.values, 0);
  const double rounding = 1e-6 * std::fabs(mode.level);  // of float means, where nothing else scatters
  const auto belonging = [&](std::size_t i) {
    const double d = static_cast<double>(ws.deviations[i]) - mode.level;
    return std::fabs(d) <= belongs * mode.sigma + rounding ? static_cast<double>(tiles[i].n) : 0.0;
  };
  // Twice: a tile that itself lies far from the others holds an edge of the lesion that its surroundings hide.
  const Peak first = sum_peak(tiles, mode.level, belonging);
  const double reach = belongs * std::sqrt(std::max(first.between, 0.0)) + rounding;
  const auto weight = [&](std::size_t i) {
    return std::fabs(static_cast<double>(tiles[i].mean) - first.level) <= reach ? belonging(i) : 0.0;
  };
  Peak peak = sum_peak(tiles, first.level, weight);
  peak.between /= 0.911;  // variance of a normal distribution within 2.5 sigma
  double n = 0;
  double kept = 0;
  ws.blocks.reset(ws.tiles.rows(), ws.tiles.columns(), 2);
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const double w = weight(i);
    n += w;
    kept += w > 0 ? 1 : 0;
    ws.blocks.add(tiles[i].row, tiles[i].column, w * (static_cast<double>(tiles[i].mean) - peak.level));
  }
  Background b;
  b.level = peak.level;
  b.n_pixels = static_cast<std::size_t>(std::lround(n));
  b.sigma = peak.sigma();
  set_error(b,
            {.white = std::sqrt(std::max(peak.between, 0.0) / kept),
             .noise_variance = peak.noise,
             .correlation = ws.blocks.correlation(),
             .pixels_per_value = n / kept},
            frame.step);
  if (lesion_may_hide) {
    b.budget.heterogeneity = std::hypot(b.budget.heterogeneity, hidden_lesion * mode.sigma);
    b.sem = b.budget.total();
  }
  return b;
}

Background mode_of_selected(const CalibratedView& frame, std::size_t n_selected, bool zeros_are_cut,
                            bool lesion_excluded, Buffers& ws) {
  constexpr std::size_t min_tiles = 32;
  constexpr double harmless_cut = 0.002;
  const detail::Prevalent prevalent = detail::prevalent_level(frame, ws.selected, ws.values);
  detail::TilePlan plan = detail::plan_tiles(frame, prevalent, n_selected);
  const auto make = [&] {
    detail::make_tiles(frame, ws.selected, plan.edge, prevalent.range, zeros_are_cut, ws.tiles);
  };
  make();
  double n = 0;
  double cut = 0;
  for (const detail::Tile& tile : ws.tiles.filled) {
    const double d = std::fabs(static_cast<double>(tile.mean) - prevalent.level);
    if (d > 3 * prevalent.noise) continue;
    n += static_cast<double>(tile.n);
    cut += static_cast<double>(tile.cut);
  }
  // The mean of what is left of a tail that was cut off is no measure of the level: then every pixel for itself. A thin
  // region fills few tiles: then smaller ones.
  if (plan.edge * plan.window > 1 && cut > harmless_cut * (n + cut)) {
    plan = {};
    make();
  }
  while (plan.edge > 1 && ws.tiles.filled.size() < min_tiles) {
    plan = {plan.edge / 2, 1};
    make();
  }
  return plan.window > 1 ? mode_of_surroundings(frame, plan.window, !lesion_excluded && !plan.fine, ws)
                         : mode_of_tiles(frame, plan.edge, prevalent, n_selected, ws);
}

// Keeps of the selection what lies over a dark field; 0: too little for a specimen.
std::size_t leave_out_field(const CalibratedView& frame, const Background& field, std::size_t n_selected, Buffers& ws) {
  constexpr double share = 0.1;
  // The field's own spread, and light that strays into it from the specimen.
  const double ends = std::max(field.level + 10 * field.sigma, 5 * field.level);
  std::size_t over = 0;
  each_selected(frame, ws, [&](std::size_t, std::size_t, double v) { over += v > ends; });
  if (over < min_background_pixels || static_cast<double>(over) < share * static_cast<double>(n_selected)) return 0;
  const std::size_t width = frame.data.width;
  each_selected(frame, ws, [&](std::size_t y, std::size_t x, double v) {
    if (!(v > ends)) ws.selected[y * width + x] = detail::not_used;
  });
  return over;
}

}  // namespace

Background mode_background(const CalibratedView& frame, const Selection& selection, bool lesion_excluded, Buffers& ws) {
  const bool zeros_are_cut = selection.exact_zeros > 0;
  Background b = mode_of_selected(frame, selection.n, zeros_are_cut, lesion_excluded, ws);
  if (selection.piled_up_at_zero(b.level, b.sigma, clipped_share_of_mode)) return b;
  // Published tumour-to-liver ratios end at 18.7 (van der Vorst 2013), so what most of the rest exceeds 22-fold is no
  // liver: it is the table around a specimen.
  constexpr double beyond_any_lesion = 22;
  const std::size_t left = leave_out_field(frame, b, selection.n, ws);
  if (left == 0) return b;
  Background tissue = mode_of_selected(frame, left, zeros_are_cut, lesion_excluded, ws);
  if (!(tissue.level > beyond_any_lesion * b.level)) return b;
  tissue.empty_field = true;
  return tissue;
}

}  // namespace pyicg
