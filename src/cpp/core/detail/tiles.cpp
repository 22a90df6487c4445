#include "tiles.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "../../kernels/tile_rows.hpp"
#include "blocks.hpp"
#include "mode.hpp"

namespace pyicg::detail {

float least_float(double lo) {
  const auto f = static_cast<float>(lo);
  return static_cast<double>(f) < lo ? std::nextafter(f, std::numeric_limits<float>::infinity()) : f;
}

float greatest_float(double hi) { return -least_float(-hi); }

namespace {

// Counts the pixels of a row that are cut off, per tile: those marked so and, where told, usable ones of value 0.
void add_cut(const CalibratedView& frame, std::size_t y, bool zeros_are_cut, const Tiles& tiles, const float* picked,
             float* cut) {
  const std::uint8_t* mask = frame.mask.row(y);
  for (std::size_t c = 0; c < tiles.columns(); ++c) {
    std::size_t found = 0;
    for (std::size_t x = tiles.column_edges[c]; x < tiles.column_edges[c + 1]; ++x) {
      found += (mask[x] & mask_left_out) == mask_underflow || (zeros_are_cut && picked[x] == 0.0F) ? 1 : 0;
    }
    cut[c] += static_cast<float>(found);
  }
}

// Of the tiles of row r, which were put behind the `kept` ones before, keeps those that are at least half full.
std::size_t keep_filled(std::size_t r, const std::int64_t* n, std::size_t kept, Tiles& t) {
  const std::size_t rows = t.row_edges[r + 1] - t.row_edges[r];
  std::size_t to = kept;
  for (std::size_t c = 0; c < t.columns(); ++c) {
    const std::size_t area = rows * (t.column_edges[c + 1] - t.column_edges[c]);
    if (n[c] == 0 || 2 * static_cast<std::size_t>(n[c]) < area) continue;
    if (const std::size_t from = kept + c; from != to) {
      t.mean[to] = t.mean[from];
      t.within[to] = t.within[from];
      t.noise[to] = t.noise[from];
      t.cut[to] = t.cut[from];
    }
    t.n[to] = static_cast<float>(n[c]);
    t.row[to] = static_cast<std::uint32_t>(r);
    t.column[to++] = static_cast<std::uint32_t>(c);
  }
  return to;
}

void resize(Tiles& t, std::size_t size) {
  for (std::vector<float>* v : {&t.mean, &t.n, &t.cut}) v->resize(size);
  for (std::vector<double>* v : {&t.within, &t.noise}) v->resize(size);
  for (std::vector<std::uint32_t>* v : {&t.row, &t.column}) v->resize(size);
}

}  // namespace

void make_tiles(const CalibratedView& frame, std::size_t edge, const ValueRange& range, bool zeros_are_cut,
                Tiles& tiles) {
  const kernels::TileKernels& kernels = kernels::tile_kernels();
  const std::size_t width = frame.data.width;
  symmetric_edges(frame.data.height, edge, tiles.row_edges);
  symmetric_edges(width, edge, tiles.column_edges);
  const std::size_t columns = tiles.columns();
  resize(tiles, tiles.rows() * columns);
  constexpr std::size_t most_rows = 8;  // that are picked before they are summed: they stay in cache
  tiles.picked.resize(most_rows * width);
  tiles.sums.resize(4 * columns);
  tiles.numbers.resize(columns);
  double* const s = tiles.sums.data();
  const kernels::TileSums sums{s, tiles.numbers.data(), s + columns, s + 2 * columns, s + 3 * columns};
  const float lo = least_float(range.lo);
  const float hi = greatest_float(range.hi);
  const bool noise_known = frame.variance.data != nullptr;
  std::size_t kept = 0;
  tiles.highest = hi;
  tiles.above = 0;
  for (std::size_t r = 0; r < tiles.rows(); ++r) {
    std::fill_n(sums.first, columns, nan);
    std::fill(tiles.numbers.begin(), tiles.numbers.end(), 0);
    std::fill(tiles.sums.begin() + static_cast<std::ptrdiff_t>(columns), tiles.sums.end(), 0.0);
    std::fill_n(tiles.cut.data() + kept, columns, 0.0F);
    std::size_t rows = 0;
    for (std::size_t y0 = tiles.row_edges[r]; y0 < tiles.row_edges[r + 1]; y0 += rows) {
      rows = std::min(most_rows, tiles.row_edges[r + 1] - y0);
      for (std::size_t y = y0; y < y0 + rows; ++y) {
        float* const picked = tiles.picked.data() + (y - y0) * width;
        const bool any_cut = kernels.pick(frame.data.row(y), frame.mask.row(y), mask_left_out, mask_underflow, lo, hi,
                                          width, picked, &tiles.above);
        if (any_cut || zeros_are_cut) add_cut(frame, y, zeros_are_cut, tiles, picked, tiles.cut.data() + kept);
      }
      kernels.add_tiles({rows, tiles.picked.data(), static_cast<std::ptrdiff_t>(width * sizeof(float)),
                         noise_known ? frame.variance.row(y0) : nullptr, frame.variance.stride_bytes},
                        tiles.column_edges.data(), columns, sums);
    }
    kernels.finish_tiles(sums, columns, tiles.mean.data() + kept, tiles.within.data() + kept,
                         tiles.noise.data() + kept);
    if (!noise_known) std::fill_n(tiles.noise.data() + kept, columns, nan);
    kept = keep_filled(r, sums.n, kept, tiles);
  }
  resize(tiles, kept);
}

namespace {

struct Population {
  Densest densest;
  ValueRange bounds;  // where other populations begin
};

// The densest quarter of the values may be a dark drape: even and dim, it fills a narrow interval. Of populations that
// do not overlap the largest counts. Takes the values of the scratch apart.
Population largest_population(double step, PrevalentScratch& scratch) {
  constexpr double apart = 4;     // sigma
  constexpr double larger = 1.1;  // of about equal ones the first, the denser
  constexpr double widths = 1.6;  // sigma is at most so many widths of the interval that holds a quarter of all values
  constexpr std::size_t fewest = 64;
  std::vector<float>& values = scratch.values;
  std::vector<PrevalentScratch::Population>& seen = scratch.seen;
  seen.clear();
  std::size_t chosen = 0;
  std::size_t most = 0;
  Population best;
  const std::size_t total = values.size();
  while (seen.empty() || (4 * values.size() >= total && values.size() >= fewest)) {
    const Densest densest = densest_interval(values, scratch.bins);
    const Mode mode = find_mode(values, densest, step, scratch.bins);
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

Prevalent prevalent_level(const CalibratedView& frame, PrevalentScratch& scratch) {
  constexpr double enough_values = 1 << 14;
  const std::size_t width = frame.data.width;
  const std::size_t height = frame.data.height;
  const auto size = static_cast<double>(frame.data.size());
  const auto stride = static_cast<std::size_t>(std::max(std::sqrt(size / enough_values), 1.0));

  // A lattice from either end: the same pixels however the frame is turned.
  const auto lattice = [stride](std::size_t length, std::vector<std::size_t>& at) {
    at.clear();
    for (std::size_t i = 0; i < length; i += stride) at.insert(at.end(), {i, length - 1 - i});
    std::sort(at.begin(), at.end());
    at.erase(std::unique(at.begin(), at.end()), at.end());
  };
  lattice(height, scratch.rows);
  lattice(width, scratch.columns);
  const std::vector<std::size_t>& rows = scratch.rows;
  const std::vector<std::size_t>& columns = scratch.columns;
  const auto is_usable = [](const std::uint8_t* mask, std::size_t x) { return (mask[x] & mask_left_out) == 0; };
  Prevalent found;
  scratch.values.clear();
  for (const std::size_t y : rows) {
    const float* data = frame.data.row(y);
    const std::uint8_t* mask = frame.mask.row(y);
    for (const std::size_t x : columns) {
      if (is_usable(mask, x)) scratch.values.push_back(data[x]);
    }
  }
  if (scratch.values.empty()) return found;
  const Population population = largest_population(frame.step, scratch);
  const Densest& densest = population.densest;
  found.level = densest.centre;
  const double spread = std::max(densest.width, frame.step);  // of whole grey levels one alone would be the densest
  // A normal distribution holds a quarter of its values in 0.64 sigma: 5 widths reach 3.2 sigma.
  double squares = 0;
  double pairs = 0;
  const auto belongs = [&](double v) { return std::fabs(v - densest.centre) <= 5 * spread; };
  for (const std::size_t y : rows) {
    const float* data = frame.data.row(y);
    const std::uint8_t* mask = frame.mask.row(y);
    for (const std::size_t x : columns) {
      const auto v = static_cast<double>(data[x]);
      if (!is_usable(mask, x) || !belongs(v)) continue;
      // Differences of neighbours hold noise, but little of the scene.
      const auto compare = [&](const float* other_data, const std::uint8_t* other_mask, std::size_t at) {
        const auto other = static_cast<double>(other_data[at]);
        if (!is_usable(other_mask, at) || !belongs(other)) return;
        squares += (v - other) * (v - other);
        pairs += 1;
      };
      if (x + 1 < width) compare(data, mask, x + 1);
      if (x > 0) compare(data, mask, x - 1);
      if (y + 1 < height) compare(frame.data.row(y + 1), frame.mask.row(y + 1), x);
      if (y > 0) compare(frame.data.row(y - 1), frame.mask.row(y - 1), x);
    }
  }
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
  const double base = tiles.size() == 0 ? 0.0 : static_cast<double>(tiles.mean.front());
  for (std::size_t k = 0; k < tiles.size(); ++k) {
    const std::size_t i = (tiles.row[k] + 1) * (columns + 1) + tiles.column[k] + 1;
    sum[i] = static_cast<double>(tiles.n[k]) * (static_cast<double>(tiles.mean[k]) - base);
    count[i] = static_cast<double>(tiles.n[k]);
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
  for (std::size_t k = 0; k < tiles.size(); ++k) {
    const std::size_t y0 = tiles.row[k] > half ? tiles.row[k] - half : 0;
    const std::size_t x0 = tiles.column[k] > half ? tiles.column[k] - half : 0;
    const std::size_t y1 = std::min(tiles.row[k] + half + 1, rows);
    const std::size_t x1 = std::min(tiles.column[k] + half + 1, columns);
    const auto within = [&](const std::vector<double>& table) {
      return table[y1 * (columns + 1) + x1] - table[y0 * (columns + 1) + x1] - table[y1 * (columns + 1) + x0] +
             table[y0 * (columns + 1) + x0];
    };
    means.push_back(static_cast<float>(base + within(sum) / within(count)));
  }
}

}  // namespace pyicg::detail
