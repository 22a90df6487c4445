#include "pyicg/frame_quality.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "detail/bright.hpp"
#include "detail/label.hpp"
#include "detail/select.hpp"
#include "pyicg/calibrate.hpp"

namespace pyicg {
namespace {

constexpr double glare_over_lesion = 3;
constexpr std::size_t least_spot_px = 4;

constexpr std::size_t fine_px = 2;
constexpr std::size_t coarse_px = 8;
constexpr double variance_between = (coarse_px * coarse_px - fine_px * fine_px) / 6.0;
constexpr std::size_t top_of = 1000;  // one in so many energies lies over the top
constexpr double share_of_top = 0.125;
// Means of pure noise reach an energy of 12 times their variance, edges that can be judged hundreds.
constexpr double least_energy_over_noise = 100;
constexpr double least_balance = 0.05;  // of edges in the weakest direction to those in the strongest

// Sums over boxes of 2 step x 2 step from those of step x step, in place: (y, x) stands for the box that begins there.
// Opposite corners are added first: a flipped or turned frame gives the same bits.
template <class T>
void double_boxes(std::vector<T>& sums, std::size_t height, std::size_t width, std::size_t step) {
  for (std::size_t y = 0; y + step < height; ++y) {
    T* const top = sums.data() + y * width;
    const T* const bottom = top + step * width;
    for (std::size_t x = 0; x + step < width; ++x) {
      top[x] = static_cast<T>((top[x] + bottom[x + step]) + (top[x + step] + bottom[x]));
    }
  }
}

// Means of the boxes of size x size; NaN where less than half of a box is valid.
void box_means(const std::vector<float>& sums, const std::vector<std::uint8_t>& counts, std::size_t size,
               std::vector<float>& means) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  means.resize(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    means[i] = 2 * std::size_t{counts[i]} >= size * size ? sums[i] / static_cast<float>(counts[i]) : none;
  }
}

// Four boxes around a point: a b over c d.
struct Boxes {
  float a, b, c, d;
  Boxes(const float* at, std::size_t width, std::size_t size)
      : a(at[0]), b(at[size]), c(at[size * width]), d(at[size * width + size]) {}
  [[nodiscard]] float along_x() const { return ((b + d) - (a + c)) / 2; }
  [[nodiscard]] float along_y() const { return ((c + d) - (a + b)) / 2; }
  [[nodiscard]] float energy() const { return along_x() * along_x() + along_y() * along_y(); }
  // Variance of one box where the image is locally a plane.
  [[nodiscard]] float noise() const { return ((a + d) - (b + c)) * ((a + d) - (b + c)) / 4; }
};

// Sums of products of gradients, free of noise on average.
struct Tensor {
  double xx = 0, xy = 0, yy = 0;
  // Gradients that share no box; in xy the noise of neighbouring boxes cancels.
  void add_unbiased(const Boxes& f) {
    xx += static_cast<double>((f.b - f.a) * (f.d - f.c));
    xy += static_cast<double>(f.along_x() * f.along_y());
    yy += static_cast<double>((f.c - f.a) * (f.d - f.b));
  }
  // Where there is little noise: it is taken off.
  void add(const Boxes& f, double noise) {
    xx += static_cast<double>(f.along_x() * f.along_x()) - noise;
    xy += static_cast<double>(f.along_x() * f.along_y());
    yy += static_cast<double>(f.along_y() * f.along_y()) - noise;
  }
  void scale(double factor) {
    xx *= factor;
    xy *= factor;
    yy *= factor;
  }
  [[nodiscard]] double trace() const { return xx + yy; }
  [[nodiscard]] double determinant() const { return xx * yy - xy * xy; }
};

// How many energies lie in each bin of equal leading bits, 128 to an octave: for floats that are not negative the order
// of the bits is that of the values.
void count(float energy, std::vector<std::uint32_t>& bins) { ++bins[std::bit_cast<std::uint32_t>(energy) >> 16]; }

// The lower end of the bin that the last of the `above` highest energies lies in.
float top_energy(const std::vector<std::uint32_t>& bins, std::size_t above) {
  std::uint32_t bin = static_cast<std::uint32_t>(bins.size()) - 1;
  for (std::size_t seen = bins[bin]; seen < above; seen += bins[bin]) --bin;
  return std::bit_cast<float>(bin << 16);
}

double focus_of(double ratio) { return std::sqrt(std::max(ratio * ratio - 1, 0.0) / variance_between); }

// Least over largest focus from the generalised eigenvalues of both tensors.
double isotropy_of(const Tensor& fine, const Tensor& coarse) {
  const double half = coarse.trace() / 2;
  const double spread = std::sqrt(std::max(half * half - coarse.determinant(), 0.0));
  if (!(half - spread >= least_balance * (half + spread))) return nan;
  const double mean =
      (fine.xx * coarse.yy + fine.yy * coarse.xx - 2 * fine.xy * coarse.xy) / (2 * coarse.determinant());
  const double root = std::sqrt(std::max(mean * mean - fine.determinant() / coarse.determinant(), 0.0));
  const double largest = focus_of(mean + root);
  return largest > 0 ? focus_of(std::max(mean - root, 0.0)) / largest : nan;
}

}  // namespace

double glare_fraction(ImageView<const float> data, ImageView<const std::uint8_t> mask, ImageView<const float> smooth,
                      double bright_level, double min_area_px, QualityWorkspace& ws) {
  const auto glare = detail::plane(ws.glare, data.height, data.width);
  std::fill(ws.glare.begin(), ws.glare.end(), std::uint8_t{0});
  if (!(bright_level > 0)) return nan;
  ws.scratch.clear();
  for (std::size_t y = 0; y < data.height; ++y) {
    std::copy_if(smooth.row(y), smooth.row(y) + data.width, std::back_inserter(ws.scratch),
                 [&](float v) { return static_cast<double>(v) > bright_level; });
  }
  const double cut = glare_over_lesion * (ws.scratch.empty() ? bright_level : detail::median(ws.scratch));
  bool any = false;
  for (std::size_t y = 0; y < data.height; ++y) {
    for (std::size_t x = 0; x < data.width; ++x) {
      const int bits = mask(y, x) & mask_left_out;
      const bool dazzles = bits == 0 ? static_cast<double>(data(y, x)) > cut : bits == mask_saturated;
      glare(y, x) = dazzles ? 1 : 0;
      any = any || dazzles;
    }
  }
  if (!any) return 0;
  const auto labels = detail::plane(ws.labels, data.height, data.width);
  const auto spots = detail::label_components(glare, 1, detail::Connectivity::eight, labels);
  const auto counts = [&](std::size_t area) {
    return area >= least_spot_px && static_cast<double>(area) < min_area_px;
  };
  std::size_t dazzled = 0;
  for (std::size_t i = 0; i < ws.glare.size(); ++i) {
    if (ws.glare[i] != 0) ws.glare[i] = counts(spots[static_cast<std::size_t>(ws.labels[i]) - 1].area) ? 1 : 0;
    dazzled += ws.glare[i];
  }
  return static_cast<double>(dazzled) / static_cast<double>(data.size());
}

Sharpness sharpness(ImageView<const float> data, ImageView<const std::uint8_t> mask, QualityWorkspace& ws) {
  const std::size_t height = data.height;
  const std::size_t width = data.width;
  if (height < 2 * coarse_px || width < 2 * coarse_px) return {};
  // Glare spoils every box it lies in; other pixels that cannot be used only leave a box with fewer.
  std::vector<float>& sums = ws.coarse;
  sums.resize(data.size());
  ws.counts.resize(data.size());
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t i = y * width + x;
      const bool valid = (mask(y, x) & mask_left_out) == 0;
      sums[i] = ws.glare[i] != 0 ? std::numeric_limits<float>::quiet_NaN() : valid ? data(y, x) : 0;
      ws.counts[i] = valid ? 1 : 0;
    }
  }
  double_boxes(sums, height, width, 1);
  double_boxes(ws.counts, height, width, 1);
  box_means(sums, ws.counts, fine_px, ws.fine);
  for (std::size_t step = fine_px; step < coarse_px; step *= 2) {
    double_boxes(sums, height, width, step);
    double_boxes(ws.counts, height, width, step);
  }
  box_means(sums, ws.counts, coarse_px, ws.coarse);

  // Both scales around the same points: the fine boxes lie in the middle of the coarse ones.
  constexpr std::size_t inset = coarse_px - fine_px;
  const auto each = [&](auto&& visit) {  // where all eight boxes are
    for (std::size_t y = 0; y + 2 * coarse_px <= height; ++y) {
      const float* const coarse = ws.coarse.data() + y * width;
      const float* const fine = ws.fine.data() + (y + inset) * width + inset;
      for (std::size_t x = 0; x + 2 * coarse_px <= width; ++x) {
        const Boxes f(fine + x, width, fine_px);
        const Boxes c(coarse + x, width, coarse_px);
        if (std::isfinite(c.energy()) && std::isfinite(f.noise())) visit(f, c);
      }
    }
  };
  double noise = 0;
  std::size_t n = 0;
  ws.bins.assign(std::size_t{1} << 15, 0);  // without the sign
  each([&](const Boxes& fine, const Boxes& coarse) {
    noise += static_cast<double>(fine.noise());
    count(coarse.energy(), ws.bins);
    ++n;
  });
  if (n == 0) return {};
  // Of a box of 8 x 8, which holds 16 of 2 x 2.
  noise *= static_cast<double>(fine_px * fine_px) / static_cast<double>(coarse_px * coarse_px) / static_cast<double>(n);
  const auto top = static_cast<double>(top_energy(ws.bins, n / top_of + 1));
  if (!(top > 0 && top >= least_energy_over_noise * noise)) return {};
  Tensor fine_sum;
  Tensor coarse_sum;
  each([&](const Boxes& fine, const Boxes& coarse) {
    if (!(static_cast<double>(coarse.energy()) >= share_of_top * top)) return;
    fine_sum.add_unbiased(fine);
    coarse_sum.add(coarse, noise);
  });
  fine_sum.scale(1.0 / static_cast<double>(fine_px * fine_px));  // gradients per px
  coarse_sum.scale(1.0 / static_cast<double>(coarse_px * coarse_px));
  return {focus_of(fine_sum.trace() / coarse_sum.trace()), isotropy_of(fine_sum, coarse_sum)};
}

}  // namespace pyicg
