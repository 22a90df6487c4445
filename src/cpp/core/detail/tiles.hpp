// A frame in tiles: means of neighbouring pixels, less noisy than one of them and as many as a task needs. Usable are
// the pixels that the frame's mask does not leave out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::detail {

// Tiles at least half of whose pixels are usable, row by row: a number of each in every vector.
struct Tiles {
  std::vector<std::size_t> row_edges;
  std::vector<std::size_t> column_edges;
  std::vector<float> mean;
  std::vector<float> n;        // usable pixels in it
  std::vector<double> within;  // variance of a pixel inside the tile; 0 in tiles of one pixel
  std::vector<double> noise;   // mean of the frame's variance; NaN where that is not known
  std::vector<float> cut;      // pixels in it at count 0, or cut off there
  std::vector<std::uint32_t> row;
  std::vector<std::uint32_t> column;

  float highest = 0;      // value that counts
  std::size_t above = 0;  // usable pixels beyond it

  std::vector<double> sums;  // buffers
  std::vector<double> counts;
  std::vector<std::int64_t> numbers;
  std::vector<float> picked;

  [[nodiscard]] std::size_t size() const { return mean.size(); }
  [[nodiscard]] std::size_t rows() const { return row_edges.size() - 1; }
  [[nodiscard]] std::size_t columns() const { return column_edges.size() - 1; }
};

struct ValueRange {
  double lo = -infinity;
  double hi = infinity;
};

// The bounds that keep the same floats.
float least_float(double lo);
float greatest_float(double hi);

// What is prevalent in a frame, from a sparse lattice of neighbours: where most values lie, and their noise.
struct Prevalent {
  double level = 0;
  double noise = 0;  // of a pixel; 0 where no two neighbours are usable
  ValueRange range;  // of the values that may belong to the level: not a hot pixel, not a bright lesion
};
// Buffers of it.
struct PrevalentScratch {
  struct Population {
    double level;
    double reach;
  };
  std::vector<float> values;
  std::vector<std::int32_t> bins;
  std::vector<std::size_t> rows;
  std::vector<std::size_t> columns;
  std::vector<Population> seen;
};
Prevalent prevalent_level(const CalibratedView& frame, PrevalentScratch& scratch);

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

// Tiles of about edge x edge pixels. Only values in `range` count. `zeros_are_cut`: a value of 0 counts as cut off too.
void make_tiles(const CalibratedView& frame, std::size_t edge, const ValueRange& range, bool zeros_are_cut,
                Tiles& tiles);

// Mean over a window of tiles around each filled tile, at the frame's borders over what there is of it.
void moving_means(Tiles& tiles, std::size_t window, std::vector<float>& means);

}  // namespace pyicg::detail
