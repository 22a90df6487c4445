#include "tiles.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "blocks.hpp"
#include "mode.hpp"

namespace pyicg::detail {

void make_tiles(const CalibratedView& frame, std::span<const std::uint8_t> selected, std::size_t edge,
                const ValueRange& range, bool zeros_are_cut, Tiles& tiles) {
  const std::size_t width = frame.data.width;
  symmetric_edges(frame.data.height, edge, tiles.row_edges);
  symmetric_edges(width, edge, tiles.column_edges);
  tiles.filled.clear();
  const bool noise_known = frame.variance.data != nullptr;
  for (std::size_t r = 0; r < tiles.rows(); ++r) {
    const std::size_t y0 = tiles.row_edges[r];
    const std::size_t y1 = tiles.row_edges[r + 1];
    for (std::size_t c = 0; c < tiles.columns(); ++c) {
      const std::size_t x0 = tiles.column_edges[c];
      const std::size_t x1 = tiles.column_edges[c + 1];
      std::size_t n = 0;
      std::size_t cut = 0;
      double first = 0;  // sums are of differences to it: a bright frame's variance keeps its digits
      double sum = 0;
      double squares = 0;
      double noise = 0;
      for (std::size_t y = y0; y < y1; ++y) {
        const float* row = frame.data.row(y);
        for (std::size_t x = x0; x < x1; ++x) {
          const std::uint8_t use = selected[y * width + x];
          cut += use == cut_off;
          if (use != usable) continue;
          const auto v = static_cast<double>(row[x]);
          if (v < range.lo || v > range.hi) continue;
          cut += zeros_are_cut && v == 0;
          if (n++ == 0) first = v;
          sum += v - first;
          squares += (v - first) * (v - first);
          if (noise_known) noise += static_cast<double>(frame.variance(y, x));
        }
      }
      if (n == 0 || 2 * n < (y1 - y0) * (x1 - x0)) continue;
      const auto count = static_cast<double>(n);
      Tile tile;
      tile.mean = static_cast<float>(first + sum / count);
      tile.n = static_cast<float>(n);
      tile.within = n > 1 ? std::max(squares - sum * sum / count, 0.0) / (count - 1) : 0.0;
      tile.noise = noise_known ? noise / count : nan;
      tile.cut = static_cast<float>(cut);
      tile.row = static_cast<std::uint32_t>(r);
      tile.column = static_cast<std::uint32_t>(c);
      tiles.filled.push_back(tile);
    }
  }
}

namespace {

struct Population {
  Densest densest;
  ValueRange bounds;  // where other populations begin
};

// The densest quarter of the values may be a dark drape: even and dim, it fills a narrow interval. Of populations that
// do not overlap the largest counts. Takes the values apart.
Population largest_population(std::vector<float>& values, double step) {
  constexpr double apart = 4;     // sigma
  constexpr double larger = 1.1;  // of about equal ones the first, the denser
  constexpr double widths = 1.6;  // sigma is at most so many widths of the interval that holds a quarter of all values
  constexpr std::size_t fewest = 64;
  struct Seen {
    double level;
    double reach;
  };
  std::vector<Seen> seen;
  std::size_t chosen = 0;
  std::size_t most = 0;
  Population best;
  const std::size_t total = values.size();
  while (seen.empty() || (4 * values.size() >= total && values.size() >= fewest)) {
    const Densest densest = densest_interval(values);
    const Mode mode = find_mode(values, step);
    const double largest_sigma = widths * std::max(densest.width, step);
    const bool merged = mode.sigma > largest_sigma;  // two peaks seen as one
    const double level = merged ? densest.centre : mode.level;
    const double reach = apart * std::max(std::min(mode.sigma, largest_sigma), step);
    const std::size_t before = values.size();
    std::erase_if(values, [&](float v) { return std::fabs(static_cast<double>(v) - level) <= reach; });
    const std::size_t held = before - values.size();
    if (seen.empty() || static_cast<double>(held) > larger * static_cast<double>(most)) {
      best.densest = densest;
      most = held;
      chosen = seen.size();
    }
    seen.push_back({level, reach});
    if (held == 0) break;
  }
  const double level = seen[chosen].level;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (i == chosen) continue;
    const double half_way = 0.5 * (seen[i].level + level);
    if (seen[i].level < level) {
      best.bounds.lo = std::max(best.bounds.lo, std::min(seen[i].level + seen[i].reach, half_way));
    } else {
      best.bounds.hi = std::min(best.bounds.hi, std::max(seen[i].level - seen[i].reach, half_way));
    }
  }
  return best;
}

}  // namespace

Prevalent prevalent_level(const CalibratedView& frame, std::span<const std::uint8_t> selected,
                          std::vector<float>& scratch) {
  constexpr double enough_values = 1 << 14;
  const std::size_t width = frame.data.width;
  const std::size_t height = frame.data.height;
  const auto size = static_cast<double>(frame.data.size());
  const auto stride = static_cast<std::size_t>(std::max(std::sqrt(size / enough_values), 1.0));

  // A lattice from either end: the same pixels however the frame is turned.
  const auto lattice = [stride](std::size_t length) {
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < length; i += stride) at.insert(at.end(), {i, length - 1 - i});
    std::sort(at.begin(), at.end());
    at.erase(std::unique(at.begin(), at.end()), at.end());
    return at;
  };
  const std::vector<std::size_t> rows = lattice(height);
  const std::vector<std::size_t> columns = lattice(width);
  const auto is_usable = [&](std::size_t y, std::size_t x) {
    return y < height && x < width && selected[y * width + x] == usable;
  };
  const auto each_usable = [&](auto&& visit) {
    for (const std::size_t y : rows) {
      for (const std::size_t x : columns) {
        if (is_usable(y, x)) visit(y, x, static_cast<double>(frame.data(y, x)));
      }
    }
  };
  Prevalent found;
  scratch.clear();
  each_usable([&](std::size_t, std::size_t, double v) { scratch.push_back(static_cast<float>(v)); });
  if (scratch.empty()) return found;
  const Population population = largest_population(scratch, frame.step);
  const Densest& densest = population.densest;
  found.level = densest.centre;
  const double spread = std::max(densest.width, frame.step);  // of whole grey levels one alone would be the densest
  // A normal distribution holds a quarter of its values in 0.64 sigma: 5 widths reach 3.2 sigma.
  double squares = 0;
  double pairs = 0;
  const auto belongs = [&](double v) { return std::fabs(v - densest.centre) <= 5 * spread; };
  each_usable([&](std::size_t y, std::size_t x, double v) {
    if (!belongs(v)) return;
    // Differences of neighbours hold noise, but little of the scene. Beyond the frame an index wraps to a large one.
    for (const auto& [ny, nx] : {std::pair{y, x + 1}, {y, x - 1}, {y + 1, x}, {y - 1, x}}) {
      if (!is_usable(ny, nx)) continue;
      const auto other = static_cast<double>(frame.data(ny, nx));
      if (!belongs(other)) continue;
      squares += (v - other) * (v - other);
      pairs += 1;
    }
  });
  if (pairs > 0) found.noise = std::sqrt(squares / (2 * pairs));
  const double reach = std::max(6 * found.noise, 10 * spread);
  if (reach > 0) {
    found.range = {std::max(densest.centre - reach, population.bounds.lo),
                   std::min(densest.centre + reach, population.bounds.hi)};
  }
  return found;
}

TilePlan plan_tiles(const CalibratedView& frame, const Prevalent& prevalent, std::size_t n_selected) {
  constexpr double most_tiles = 1 << 17;
  constexpr double enough_tiles = 1000;
  constexpr double small_noise = 0.01;
  constexpr std::size_t tiles_across_window = 5;
  const auto n = static_cast<double>(n_selected);
  const double least = std::max(std::ceil(std::sqrt(n / most_tiles)), 1.0);
  const double widest = static_cast<double>(std::min(frame.data.height, frame.data.width)) / 5;
  const double wanted = prevalent.level > 0 ? std::ceil(prevalent.noise / (small_noise * prevalent.level)) : widest;
  // Counts that no noise dithers are no finer on average than one by one.
  const bool dithered = prevalent.noise > 0 && prevalent.noise >= 0.5 * frame.step;
  if (!dithered || wanted <= least) return {static_cast<std::size_t>(least), 1};
  if (wanted * wanted * enough_tiles <= n) return {static_cast<std::size_t>(wanted), 1};
  const double resolution = std::min(wanted, widest);
  const double edge = std::max(std::round(resolution / tiles_across_window), least);
  const auto half = static_cast<std::size_t>(std::max(std::round((resolution / edge - 1) / 2), 0.0));
  return {static_cast<std::size_t>(edge), 2 * half + 1, wanted <= widest};
}

void moving_means(Tiles& tiles, std::size_t window, std::vector<float>& means) {
  // Sums over rectangles from the origin (a summed-area table) of what the tiles hold.
  const std::size_t rows = tiles.rows();
  const std::size_t columns = tiles.columns();
  std::vector<double>& sum = tiles.sums;
  std::vector<double>& count = tiles.counts;
  sum.assign((rows + 1) * (columns + 1), 0.0);
  count.assign(sum.size(), 0.0);
  const double base = tiles.filled.empty() ? 0.0 : static_cast<double>(tiles.filled.front().mean);
  for (const Tile& tile : tiles.filled) {
    const std::size_t i = (tile.row + 1) * (columns + 1) + tile.column + 1;
    sum[i] = static_cast<double>(tile.n) * (static_cast<double>(tile.mean) - base);
    count[i] = static_cast<double>(tile.n);
  }
  for (std::vector<double>* table : {&sum, &count}) {
    for (std::size_t y = 1; y <= rows; ++y) {
      for (std::size_t x = 1; x <= columns; ++x) {
        double& v = (*table)[y * (columns + 1) + x];
        v += (*table)[(y - 1) * (columns + 1) + x] + (*table)[y * (columns + 1) + x - 1] -
             (*table)[(y - 1) * (columns + 1) + x - 1];
      }
    }
  }
  means.clear();
  const std::size_t half = window / 2;
  for (const Tile& tile : tiles.filled) {
    const std::size_t y0 = tile.row > half ? tile.row - half : 0;
    const std::size_t x0 = tile.column > half ? tile.column - half : 0;
    const std::size_t y1 = std::min(tile.row + half + 1, rows);
    const std::size_t x1 = std::min(tile.column + half + 1, columns);
    const auto within = [&](const std::vector<double>& table) {
      return table[y1 * (columns + 1) + x1] - table[y0 * (columns + 1) + x1] - table[y1 * (columns + 1) + x0] +
             table[y0 * (columns + 1) + x0];
    };
    means.push_back(static_cast<float>(base + within(sum) / within(count)));
  }
}

}  // namespace pyicg::detail
