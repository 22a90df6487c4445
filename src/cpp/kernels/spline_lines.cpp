// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "spline_lines.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const SplineKernels spline;
}
namespace {

constexpr std::ptrdiff_t block = spline_block;
constexpr std::ptrdiff_t parts = block / lanes<double>;
constexpr double whole = 0x1.8p52;  // added to a number it leaves the nearest integer in the last bits

using Doubles = Lanes<double>;
using Taps [[gnu::vector_size(16)]] = float;  // of the four pixels in a row

constexpr double places[block] = {0, 1, 2, 3};

Doubles floor_of(const Doubles& v) {
  const Doubles nearest = (v + whole) - whole;
  return nearest > v ? nearest - 1 : nearest;
}

// Weights of the cubic B-spline on the pixels floor(x) - 1 .. floor(x) + 2.
void spline(const Doubles& t, Doubles* weights) {
  const Doubles u = 1 - t;
  weights[0] = u * u * u / 6;
  weights[1] = (4 - 6 * t * t + 3 * t * t * t) / 6;
  weights[2] = (4 - 6 * u * u + 3 * u * u * u) / 6;
  weights[3] = t * t * t / 6;
}

Taps load_taps(const float* from) {
  Taps taps;
  __builtin_memcpy(&taps, from, sizeof(taps));
  return taps;
}

// Four pixels in a row at each of four places: out[b] is pixel b at all places.
void columns(const float* from, const std::int64_t* at, Taps* out) {
  const Taps a = load_taps(from + at[0]);
  const Taps b = load_taps(from + at[1]);
  const Taps c = load_taps(from + at[2]);
  const Taps d = load_taps(from + at[3]);
  const Taps ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Taps cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Taps ab_far = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Taps cd_far = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  out[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  out[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  out[2] = __builtin_shufflevector(ab_far, cd_far, 0, 1, 4, 5);
  out[3] = __builtin_shufflevector(ab_far, cd_far, 2, 3, 6, 7);
}

// Number by number: of a conversion of the whole compilers make two halves.
Doubles widened(const Taps& taps, std::ptrdiff_t part) {
  Doubles wide{};
  for (std::ptrdiff_t i = 0; i < lanes<double>; ++i) wide[i] = static_cast<double>(taps[part * lanes<double> + i]);
  return wide;
}

template <bool weighted>
void read_block(const SplineImage& image, const SplineLine& line, std::ptrdiff_t i, double* signals) {
  Doubles wy[parts][4];
  Doubles wx[parts][4];
  std::int64_t at[block];  // of the first pixel
  for (std::ptrdiff_t part = 0; part < parts; ++part) {
    const auto from = static_cast<double>(line.first + i);
    const Doubles t = line.step * (from + load(places + part * lanes<double>));
    // The fraction is that of the offset alone, so that a crop cut by the frame's border reads the same bits.
    const Doubles dy = line.y + t * line.dy;
    const Doubles dx = line.x + t * line.dx;
    const Doubles fy = floor_of(dy);
    const Doubles fx = floor_of(dx);
    spline(dy - fy, wy[part]);
    spline(dx - fx, wx[part]);
    const Doubles pixel = (image.origin_y + fy - 1) * static_cast<double>(image.width) + (image.origin_x + fx - 1);
    IndexLanes<double> bits;
    const Doubles shifted = pixel + whole;
    __builtin_memcpy(&bits, &shifted, sizeof(bits));
    store(bits & 0x7ffffffffffff, at + part * lanes<double>);
  }
  Doubles sum[parts] = {};
  Doubles weight[parts] = {};
  for (std::ptrdiff_t a = 0; a < 4; ++a) {
    const std::ptrdiff_t row = a * static_cast<std::ptrdiff_t>(image.width);
    Taps values[4];
    Taps weights[4];
    columns(image.values + row, at, values);
    if constexpr (weighted) columns(image.weights + row, at, weights);
    for (std::ptrdiff_t b = 0; b < 4; ++b) {
      for (std::ptrdiff_t part = 0; part < parts; ++part) {
        const Doubles w = wy[part][a] * wx[part][b];
        sum[part] += w * widened(values[b], part);
        if constexpr (weighted) {
          weight[part] += w * widened(weights[b], part);
        } else {
          weight[part] += w;
        }
      }
    }
  }
  for (std::ptrdiff_t part = 0; part < parts; ++part) {
    const Doubles mean = sum[part] / weight[part];
    store(weight[part] > 0.5 ? mean : Doubles{} + __builtin_nan(""), signals + i + part * lanes<double>);
  }
}

template <bool weighted>
void read_all(const SplineImage& image, const SplineLine& line, std::size_t n, double* signals) {
  const auto end = static_cast<std::ptrdiff_t>(n);
  std::ptrdiff_t i = 0;
  for (; i + block <= end; i += block) read_block<weighted>(image, line, i, signals);
  if (i < end) read_block<weighted>(image, line, end - block, signals);
}

void read(const SplineImage& image, const SplineLine& line, std::size_t n, double* signals) {
  if (image.weights != nullptr) {
    read_all<true>(image, line, n, signals);
  } else {
    read_all<false>(image, line, n, signals);
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const SplineKernels spline{read};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
