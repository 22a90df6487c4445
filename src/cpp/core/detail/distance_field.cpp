#include "distance_field.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "parallel.hpp"

namespace pyicg::detail {
namespace {

using kernels::distance_block;
using kernels::far_away;
using kernels::no_zero_yet;

// Counts that are kept in a cache between the way down and the way up. Narrower tiles cost more: the processor fetches
// ahead along rows only.
constexpr std::size_t tile_bytes = std::size_t{1} << 21;

// Planes that a thread takes at once have as many pixels, or more.
constexpr std::size_t piece_pixels = std::size_t{1} << 15;

// weight * d^2 for d = -reach .. reach. A kernel rounds lines up to whole blocks, and what it reads beyond a line must
// not overflow when it is added to `far_away`.
template <class T>
void set_parabola(std::size_t length, double weight, std::vector<T>& table) {
  const std::size_t reach = length + distance_block;
  table.resize(2 * reach + 1);
  for (std::size_t d = 0; d <= reach; ++d) {
    const double value = weight * (static_cast<double>(d) * static_cast<double>(d));
    if constexpr (std::is_integral_v<T>) {
      table[reach + d] = static_cast<T>(std::min(value, static_cast<double>(far_away<T> - 1)));
    } else {
      table[reach + d] = value;
    }
    table[reach - d] = table[reach + d];
  }
}

// Lowest parabolas along a line of up to `length` pixels, run by run.
template <class T>
class Line {
 public:
  Line(const kernels::LineKernels<T>& line_kernels, std::size_t length, double weight, LineBuffers<T>& buffers)
      : kernels_(&line_kernels), length_(length), buffers_(&buffers) {
    set_parabola(length, weight, buffers.parabola);
    buffers.nearest.assign(length / distance_block + 2, 0);
    buffers.place.assign(length + 2 * distance_block, T{0});
    buffers.picked.assign(length + 2 * distance_block, T{0});
  }

  // Squared distances of the run [first, last). The pixels before and after it, which may lie outside the line, become
  // what they are: zeros or borders.
  void run(T* height, std::size_t first, std::size_t last, T* out) {
    height[static_cast<std::ptrdiff_t>(first) - 1] = first > 0 ? T{0} : far_away<T>;
    height[last] = last < length_ ? T{0} : far_away<T>;
    LineBuffers<T>& b = *buffers_;
    kernels_->envelope(height + first, last - first, b.parabola.data() + b.parabola.size() / 2,
                       {b.nearest.data(), b.place.data(), b.picked.data()}, out + first);
  }

 private:
  const kernels::LineKernels<T>* kernels_;
  std::size_t length_;
  LineBuffers<T>* buffers_;
};

// The first pixel at or after x that is not zero.
std::size_t run_start(const std::uint8_t* row, std::size_t x, std::size_t width) {
  std::uint64_t eight = 0;
  for (; x + sizeof(eight) <= width; x += sizeof(eight)) {
    std::memcpy(&eight, row + x, sizeof(eight));
    if (eight != 0) break;
  }
  while (x < width && row[x] == 0) ++x;
  return x;
}

std::size_t run_end(const std::uint8_t* row, std::size_t x, std::size_t width) {
  const void* const zero = std::memchr(row + x, 0, width - x);
  return zero == nullptr ? width : static_cast<std::size_t>(static_cast<const std::uint8_t*>(zero) - row);
}

// The first zero of a line at or after y. Most runs are longer than a block, which the compiler looks at as one.
template <class T>
std::size_t next_zero(const T* line, std::size_t y, std::size_t last) {
  for (; y + distance_block <= last; y += distance_block) {
    int zeros = 0;
    for (std::size_t k = 0; k < distance_block; ++k) zeros += line[y + k] == 0 ? 1 : 0;
    if (zeros != 0) break;
  }
  while (y < last && line[y] != 0) ++y;
  return y;
}

// Where the results go: places are offsets in the slab.
struct DistanceSink {
  const kernels::DistanceKernels* kernels;
  double unit;
  float* out;

  void zeros(std::size_t place, std::size_t n) const { std::fill_n(out + place, n, 0.0F); }
  void rows(const std::int32_t* squared, std::size_t squared_stride, std::size_t rows, std::size_t n, std::size_t place,
            std::size_t stride) const {
    kernels->whole.root(squared, squared_stride, rows, n, unit, out + place, stride);
  }
  void rows(const double* squared, std::size_t squared_stride, std::size_t rows, std::size_t n, std::size_t place,
            std::size_t stride) const {
    kernels->real.root(squared, squared_stride, rows, n, 1, out + place, stride);
  }
};

struct SquareSink {
  double unit_squared;  // 1 for squares in double
  double* out;

  void zeros(std::size_t place, std::size_t n) const { std::fill_n(out + place, n, 0.0); }
  template <class T>
  void rows(const T* squared, std::size_t squared_stride, std::size_t rows, std::size_t n, std::size_t place,
            std::size_t stride) const {
    for (std::size_t y = 0; y < rows; ++y) {
      for (std::size_t x = 0; x < n; ++x) {
        out[place + y * stride + x] = unit_squared * static_cast<double>(squared[y * squared_stride + x]);
      }
    }
  }
};

// Distances within the planes of a volume, from the counts across them.
template <class T, class Sink>
class PlaneTransform {
 public:
  PlaneTransform(const kernels::LineKernels<T>& line_kernels, const Shape& shape, const std::array<double, 3>& weight,
                 const Sink& sink, PlaneBuffers<T>& buffers)
      : kernels_(&line_kernels),
        height_(shape[1]),
        width_(shape[2]),
        pitch_(width_ + distance_block),
        column_pitch_(height_ + 2 * distance_block),
        count_weight_(static_cast<T>(weight[0])),
        along_rows_(line_kernels, width_, weight[2], buffers.along_rows),
        along_columns_(line_kernels, height_, weight[1], buffers.along_columns),
        buffers_(&buffers),
        sink_(sink) {
    buffers.heights.assign(1 + pitch_, T{0});
    buffers.squares.assign((height_ > 1 ? height_ + distance_block : 1) * pitch_, T{0});
    buffers.columns.assign(height_ > 1 ? 1 + distance_block * column_pitch_ : 0, T{0});
    buffers.nearest.assign(height_ > 1 ? distance_block * column_pitch_ : 0, T{0});
    buffers.tile.assign(distance_block * distance_block, T{0});
  }

  // mask and counts are the plane's own, `place` its offset in the slab.
  void transform(const std::uint8_t* mask, const float* counts, std::size_t place) {
    for (std::size_t y = 0; y < height_; ++y) row(mask + y * width_, counts + y * width_, y, place + y * width_);
    if (height_ == 1) return;
    for (std::size_t x = 0; x < width_; x += distance_block) {
      strip(mask + x, x, std::min(distance_block, width_ - x), place + x);
    }
  }

 private:
  // Squared distances within row y; they are the result already when there is one row only. Zeros are a result always.
  void row(const std::uint8_t* mask, const float* counts, std::size_t y, std::size_t place) {
    T* const squares = buffers_->squares.data() + (height_ == 1 ? 0 : y * pitch_);
    T* const heights = buffers_->heights.data() + 1;
    std::size_t end = 0;
    while (end < width_) {
      const std::size_t first = run_start(mask, end, width_);
      if (height_ > 1) std::fill(squares + end, squares + first, T{0});
      sink_.zeros(place + end, first - end);
      if (first == width_) return;
      end = run_end(mask, first, width_);
      kernels_->square(counts + first, end - first, count_weight_, heights + first);
      along_rows_.run(heights, first, end, squares);
      if (height_ == 1) sink_.rows(squares + first, 0, 1, end - first, place + first, 0);
    }
  }

  // The plane's columns [x, x + n), to which mask and place point. Blocks that hold nothing but zeros part them.
  void strip(const std::uint8_t* mask, std::size_t x, std::size_t n, std::size_t place) {
    const auto empty = [&](std::size_t y) {
      for (std::size_t k = y; k < std::min(y + distance_block, height_); ++k) {
        if (run_start(mask + k * width_, 0, n) < n) return false;
      }
      return true;
    };
    for (std::size_t first = 0; first < height_;) {
      if (empty(first)) {
        first += distance_block;
        continue;
      }
      std::size_t last = first;
      do last += distance_block;
      while (last < height_ && !empty(last));
      last = std::min(last, height_);
      columns(x, n, first, last, place);
      first = last;
    }
  }

  // The part of a strip from row `first` up to `last`, beyond which there are zeros or borders.
  void columns(std::size_t x, std::size_t n, std::size_t first, std::size_t last, std::size_t place) {
    T* const heights = buffers_->columns.data() + 1;
    for (std::size_t y = first; y < last; y += distance_block) {
      kernels_->turn(buffers_->squares.data() + y * pitch_ + x, pitch_, heights + y, column_pitch_);
    }
    for (std::size_t k = 0; k < n; ++k) column(heights + k * column_pitch_, first, last, k);
    for (std::size_t y = first; y < last; y += distance_block) {
      kernels_->turn(buffers_->nearest.data() + y, column_pitch_, buffers_->tile.data(), distance_block);
      sink_.rows(buffers_->tile.data(), distance_block, std::min(distance_block, last - y), n, place + y * width_,
                 width_);
    }
  }

  void column(T* heights, std::size_t first, std::size_t last, std::size_t k) {
    T* const nearest = buffers_->nearest.data() + k * column_pitch_;
    for (std::size_t y = first; y < last;) {
      const std::size_t start = y;
      while (y < last && heights[y] == 0) ++y;
      std::fill(nearest + start, nearest + y, T{0});
      if (y == last) return;
      const std::size_t run = y;
      y = next_zero(heights, y, last);
      along_columns_.run(heights, run, y, nearest);
    }
  }

  const kernels::LineKernels<T>* kernels_;
  std::size_t height_;
  std::size_t width_;
  std::size_t pitch_;
  std::size_t column_pitch_;
  T count_weight_;
  Line<T> along_rows_;
  Line<T> along_columns_;
  PlaneBuffers<T>* buffers_;
  Sink sink_;
};

PlaneBuffers<std::int32_t>& buffers_of(const kernels::LineKernels<std::int32_t>&, DistanceBuffers& all) {
  return all.whole;
}
PlaneBuffers<double>& buffers_of(const kernels::LineKernels<double>&, DistanceBuffers& all) { return all.real; }

}  // namespace

CommonUnit common_unit(const Shape& shape, const std::array<double, 3>& spacing) {
  constexpr int finest = 32;  // parts of the smallest pixel size: a third of 0.3 is a seventh of 0.7
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < 3; ++k) {
    if (shape[k] > 1) smallest = std::min(smallest, spacing[k]);
  }
  if (std::isinf(smallest)) return {1, {1, 1, 1}};  // one pixel
  for (int parts = 1; parts <= finest; ++parts) {
    CommonUnit found{smallest / parts, {}};
    double largest = 0;
    bool whole = true;
    for (std::size_t k = 0; k < 3; ++k) {
      if (shape[k] == 1) continue;
      const double multiple = std::round(spacing[k] / found.unit);
      whole = whole &&
              std::fabs(multiple * found.unit - spacing[k]) <= 4 * std::numeric_limits<double>::epsilon() * spacing[k];
      const double extent = multiple * static_cast<double>(shape[k] - 1);
      largest += extent * extent;
      if (largest >= far_away<std::int32_t>) return {};
      found.weight[k] = static_cast<std::int32_t>(multiple * multiple);
    }
    if (whole) return found;
  }
  return {};
}

void count_down(std::span<const std::uint8_t> mask, std::span<float> since, std::span<float> counts,
                const Threads& threads, const kernels::DistanceKernels& line_kernels) {
  const std::size_t plane = since.size();
  parallel_ranges(plane, threads, [&](std::size_t first, std::size_t last) {
    line_kernels.count_down(mask.data() + first, mask.size() / plane, plane, last - first, since.data() + first,
                            counts.data() + first);
  });
}

void count_up(std::span<const std::uint8_t> mask, std::span<float> since, std::span<float> counts,
              const Threads& threads, const kernels::DistanceKernels& line_kernels) {
  const std::size_t plane = since.size();
  parallel_ranges(plane, threads, [&](std::size_t first, std::size_t last) {
    line_kernels.count_up(mask.data() + first, mask.size() / plane, plane, last - first, since.data() + first,
                          counts.data() + first);
  });
}

DistanceField::DistanceField(const Shape& shape, const std::array<double, 3>& spacing, const Threads& threads,
                             const kernels::DistanceKernels& line_kernels)
    : shape_(shape),
      spacing_(spacing),
      threads_(threads),
      kernels_(&line_kernels),
      common_(common_unit(shape, spacing)) {}

DistanceField::DistanceField(const Shape& shape, const std::array<double, 3>& spacing, DistanceBuffers& buffers)
    : DistanceField(shape, spacing, 1) {
  buffers_ = &buffers;
}

void DistanceField::count(std::span<const std::uint8_t> mask, std::span<float> counts) const {
  const std::size_t plane = shape_[1] * shape_[2];
  constexpr std::size_t line = 64 / sizeof(float);  // of the cache
  const std::size_t tile = std::max(std::size_t{4}, tile_bytes / sizeof(float) / shape_[0] / line) * line;
  parallel_pieces(plane, tile, threads_, [&](const auto& next) {
    DistanceBuffers own;
    std::vector<float>& since = (buffers_ != nullptr ? *buffers_ : own).since;
    since.resize(tile);
    for (std::size_t x = 0, end = 0; next(x, end);) {
      std::fill(since.begin(), since.end(), no_zero_yet);
      kernels_->count_down(mask.data() + x, shape_[0], plane, end - x, since.data(), counts.data() + x);
      std::fill(since.begin(), since.end(), no_zero_yet);
      kernels_->count_up(mask.data() + x, shape_[0], plane, end - x, since.data(), counts.data() + x);
    }
  });
}

template <class Sink>
void DistanceField::planes(std::span<const std::uint8_t> mask, const float* counts, const Sink& sink) const {
  const std::size_t plane = shape_[1] * shape_[2];
  const auto each = [&](const auto& line_kernels, const std::array<double, 3>& weight) {
    const std::size_t piece = std::max(std::size_t{1}, piece_pixels / plane);
    parallel_pieces(mask.size() / plane, piece, threads_, [&](const auto& next) {
      DistanceBuffers own;
      DistanceBuffers& buffers = buffers_ != nullptr ? *buffers_ : own;
      PlaneTransform transform(line_kernels, shape_, weight, sink, buffers_of(line_kernels, buffers));
      for (std::size_t first = 0, last = 0; next(first, last);) {
        for (std::size_t z = first; z < last; ++z) {
          transform.transform(mask.data() + z * plane, counts + z * plane, z * plane);
        }
      }
    });
  };
  std::array<double, 3> weight{};
  if (common_.unit > 0) {
    std::copy(common_.weight.begin(), common_.weight.end(), weight.begin());
    each(kernels_->whole, weight);
  } else {
    std::transform(spacing_.begin(), spacing_.end(), weight.begin(), [](double s) { return s * s; });
    each(kernels_->real, weight);
  }
}

void DistanceField::distances(std::span<const std::uint8_t> mask, std::span<float> counts) const {
  planes(mask, counts.data(), DistanceSink{kernels_, common_.unit, counts.data()});
}

void DistanceField::squared(std::span<const std::uint8_t> mask, std::span<const float> counts,
                            std::span<double> out) const {
  planes(mask, counts.data(), SquareSink{common_.unit > 0 ? common_.unit * common_.unit : 1, out.data()});
}

}  // namespace pyicg::detail
