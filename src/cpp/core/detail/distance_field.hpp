// Exact Euclidean distances to the nearest zero of a mask: what the annulus around a lesion and the distance room
// share.
//
// One axis after the other. Along the first one pixels are counted, down and up again; along the other two the nearest
// zero of a line is the lowest of its pixels' parabolas (Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012)
// 415), and zeros part a line into runs that know nothing of each other. Counting needs no more than the plane before,
// so a volume may come in slabs, and the counts are kept in the output, which is as large as they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../../kernels/distance_lines.hpp"
#include "pyicg/runner.hpp"

namespace pyicg::detail {

using Shape = std::array<std::size_t, 3>;  // planes, rows, columns; row-major

// Squared distances are whole multiples of unit^2 when every pixel size is a whole multiple of `unit`. Then they are
// computed in integers, else (unit 0) in double.
struct CommonUnit {
  double unit = 0;
  std::array<std::int32_t, 3> weight{};  // squared multiples
};
CommonUnit common_unit(const Shape& shape, const std::array<double, 3>& spacing);

// counts[i] = planes to the last zero before it. `mask` holds whole planes, each as large as `since`, which is carried
// from slab to slab, first to last, and starts as no_zero_yet. Where the mask is zero nothing is written.
void count_down(std::span<const std::uint8_t> mask, std::span<float> since, std::span<float> counts,
                const Threads& threads, const kernels::DistanceKernels& line_kernels = kernels::distance_kernels());

// counts[i] = planes to the nearest zero; slabs from the last to the first.
void count_up(std::span<const std::uint8_t> mask, std::span<float> since, std::span<float> counts,
              const Threads& threads, const kernels::DistanceKernels& line_kernels = kernels::distance_kernels());

// Of lines of one length, and of planes of one shape.
template <class T>
struct LineBuffers {
  std::vector<T> parabola, place, picked;
  std::vector<std::int32_t> nearest;
};
template <class T>
struct PlaneBuffers {
  LineBuffers<T> along_rows, along_columns;
  std::vector<T> heights;  // of one row
  std::vector<T> squares;  // of the distances within the rows
  std::vector<T> columns;  // a strip of them, column by column
  std::vector<T> nearest;  // and its results
  std::vector<T> tile;     // a block of these, row by row
};
// What a thread needs; reused between transforms.
struct DistanceBuffers {
  std::vector<float> since;
  PlaneBuffers<std::int32_t> whole;
  PlaneBuffers<double> real;
};

// The transform of one volume, whose shape it is told whole even if the masks are slabs of it. The bits depend neither
// on the slabs, nor on `threads`, nor on the kernels.
class DistanceField {
 public:
  DistanceField(const Shape& shape, const std::array<double, 3>& spacing, const Threads& threads,
                const kernels::DistanceKernels& line_kernels = kernels::distance_kernels());
  // On the calling thread alone, in memory that is kept.
  DistanceField(const Shape& shape, const std::array<double, 3>& spacing, DistanceBuffers& buffers);

  // count_down and count_up of the whole mask.
  void count(std::span<const std::uint8_t> mask, std::span<float> counts) const;

  // Distances from the counts, in their place.
  void distances(std::span<const std::uint8_t> mask, std::span<float> counts) const;

  // Squared distances from the counts.
  void squared(std::span<const std::uint8_t> mask, std::span<const float> counts, std::span<double> out) const;

 private:
  template <class Sink>
  void planes(std::span<const std::uint8_t> mask, const float* counts, const Sink& sink) const;

  Shape shape_;
  std::array<double, 3> spacing_;
  Threads threads_;
  const kernels::DistanceKernels* kernels_;
  CommonUnit common_;
  DistanceBuffers* buffers_ = nullptr;  // null: each thread has its own
};

}  // namespace pyicg::detail
