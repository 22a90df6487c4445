// A frame in tiles: means of neighbouring pixels, less noisy than one of them and as many as a task needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::detail {

// Marks of a selection, one per pixel: not asked for or not valid, usable, or asked for but cut off at count 0.
enum PixelUse : std::uint8_t { not_used = 0, usable = 1, cut_off = 2 };

struct Tile {
  float mean = 0;
  float n = 0;        // selected pixels in it
  double within = 0;  // variance of a pixel inside the tile; 0 in tiles of one pixel
  double noise = 0;   // mean of the frame's variance; NaN where that is not known
  float cut = 0;      // pixels in it at count 0, or cut off there
  std::uint32_t row = 0;
  std::uint32_t column = 0;
};

struct Tiles {
  std::vector<std::size_t> row_edges;
  std::vector<std::size_t> column_edges;
  std::vector<Tile> filled;  // tiles at least half of whose pixels are selected
  std::vector<double> sums;  // buffers of moving_means
  std::vector<double> counts;

  [[nodiscard]] std::size_t rows() const { return row_edges.size() - 1; }
  [[nodiscard]] std::size_t columns() const { return column_edges.size() - 1; }
};

struct ValueRange {
  double lo = -infinity;
  double hi = infinity;
};

// What is prevalent in a frame, from a sparse lattice of neighbours: where most values lie, and their noise.
struct Prevalent {
  double level = 0;
  double noise = 0;  // of a pixel; 0 where no two neighbours are selected
  ValueRange range;  // of the values that may belong to the level: not a hot pixel, not a bright lesion
};
Prevalent prevalent_level(const CalibratedView& frame, std::span<const std::uint8_t> selected,
                          std::vector<float>& scratch);

// Tiles of `edge` pixels, looked at through a window of `window` x `window` of them.
struct TilePlan {
  std::size_t edge = 1;
  std::size_t window = 1;
  bool fine = true;  // the noise is small at this resolution; false: the frame is too small or too noisy for it
};
// The finest resolution at which the noise is a hundredth of the level. Tiles of that size where there are a thousand
// of them; else smaller tiles and a moving window, up to a fifth of the frame's shorter side. Never more than 2^17
// tiles.
TilePlan plan_tiles(const CalibratedView& frame, const Prevalent& prevalent, std::size_t n_selected);

// `selected`: a PixelUse per pixel, row-major; only values in `range` count. Tiles are about edge x edge pixels.
// `zeros_are_cut`: a value of 0 counts as cut off too.
void make_tiles(const CalibratedView& frame, std::span<const std::uint8_t> selected, std::size_t edge,
                const ValueRange& range, bool zeros_are_cut, Tiles& tiles);

// Mean over a window of tiles around each filled tile, at the frame's borders over what there is of it.
void moving_means(Tiles& tiles, std::size_t window, std::vector<float>& means);

}  // namespace pyicg::detail
