#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "../kernels/box_means.hpp"
#include "../kernels/pixel_bits.hpp"
#include "detail/quality_buffers.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/frame_quality.hpp"

namespace pyicg {
namespace {

constexpr std::size_t fine_px = 2;
constexpr std::size_t coarse_px = 8;
constexpr double variance_between = (coarse_px * coarse_px - fine_px * fine_px) / 6.0;
constexpr std::size_t top_of = 1000;  // one in so many energies lies over the top
constexpr float share_of_top = 0.125;
// Means of pure noise reach an energy of 12 times their variance, edges that can be judged hundreds.
constexpr double least_energy_over_noise = 100;
constexpr double least_balance = 0.05;  // of edges in the weakest direction to those in the strongest

using kernels::Tensor;

Tensor scaled(const Tensor& t, double factor) { return {t.xx * factor, t.xy * factor, t.yy * factor}; }
double trace(const Tensor& t) { return t.xx + t.yy; }
double determinant(const Tensor& t) { return t.xx * t.yy - t.xy * t.xy; }

// The bin of equal leading bits that an energy lies in, 128 to an octave: for floats that are not negative the order of
// the bits is that of the values.
std::size_t bin_of(float energy) { return std::bit_cast<std::uint32_t>(energy) >> 16; }
float lower_end(std::size_t bin) { return std::bit_cast<float>(static_cast<std::uint32_t>(bin << 16)); }

// Counts the highest energies of many. How many will be asked for is known, so what cannot be among them is left out.
class HighestEnergies {
 public:
  HighestEnergies(std::vector<std::uint32_t>& bins, std::size_t most_asked) : bins_(bins), most_asked_(most_asked) {
    bins_.assign(std::size_t{1} << 15, 0);  // without the sign
  }

  // `largest` of each block of the row.
  void add(std::span<const float> energies, std::span<const float> largest) {
    for (std::size_t b = 0; b < largest.size(); ++b) {
      if (!(largest[b] >= least_)) continue;
      const std::size_t first = b * kernels::energy_block;
      for (const float energy : energies.subspan(first, std::min(kernels::energy_block, energies.size() - first))) {
        if (!(energy >= least_)) continue;
        ++bins_[bin_of(energy)];
        ++counted_;
      }
    }
    if (counted_ > 4 * most_asked_) raise();
  }

  // The lower end of the bin that the last of the `above` highest lies in.
  [[nodiscard]] float top(std::size_t above) const { return lower_end(bin_holding(above).first); }

 private:
  // And how many there are from that bin on.
  [[nodiscard]] std::pair<std::size_t, std::size_t> bin_holding(std::size_t above) const {
    std::size_t bin = bins_.size() - 1;
    std::size_t seen = bins_[bin];
    while (seen < above) seen += bins_[--bin];
    return {bin, seen};
  }
  void raise() {
    const auto [bin, seen] = bin_holding(2 * most_asked_);
    least_ = lower_end(bin);
    counted_ = seen;
  }

  std::vector<std::uint32_t>& bins_;
  std::size_t most_asked_;
  std::size_t counted_ = 0;
  float least_ = 0;
};

// The last rows of sums over boxes of one size, and of how many pixels each box holds.
class SumRows {
 public:
  SumRows(std::vector<float>& sums, std::vector<std::uint8_t>& counts, std::size_t rows, std::size_t width,
          std::size_t pixels)
      : rows_(rows), width_(width) {
    sums.resize(std::max(sums.size(), rows * width));
    counts.resize(std::max(counts.size(), (rows + 1) * width));
    sums_ = sums.data();
    counts_ = counts.data();
    std::fill_n(counts_ + rows * width, width, static_cast<std::uint8_t>(pixels));
  }
  // Where row y goes.
  [[nodiscard]] float* own_sums(std::size_t y) const { return sums_ + y % rows_ * width_; }
  [[nodiscard]] std::uint8_t* own_counts(std::size_t y) const { return counts_ + y % rows_ * width_; }
  void set(std::size_t y, const float* sums, const std::uint8_t* counts) { last_.at(y % rows_) = {sums, counts}; }

  [[nodiscard]] const float* sums(std::size_t y) const { return last_.at(y % rows_).sums; }
  [[nodiscard]] const std::uint8_t* counts(std::size_t y) const { return last_.at(y % rows_).counts; }
  // The counts of a row whose boxes are all whole, which are not written anew.
  [[nodiscard]] const std::uint8_t* full() const { return counts_ + rows_ * width_; }
  [[nodiscard]] bool is_full(std::size_t y) const { return counts(y) == full(); }

 private:
  struct Row {
    const float* sums;
    const std::uint8_t* counts;
  };
  std::size_t rows_, width_;
  float* sums_;
  std::uint8_t* counts_;
  std::array<Row, coarse_px> last_{};
};

constexpr std::size_t reach = 2 * coarse_px;  // rows and columns of two coarse boxes

// Where the means of a row are kept, until the one `reach` further down comes.
float* row_of(std::vector<float>& means, std::size_t y, std::size_t width) { return means.data() + y % reach * width; }

// Means of the boxes that begin at each pixel, row by row; NaN where less than half of a box is valid, or glare in it.
// Calls then(y) when all boxes are made that lie in rows up to y, from `from_row` on and before `to_row`.
template <class Then>
void make_means(ImageView<const float> data, ImageView<const std::uint8_t> mask, const std::uint8_t* glare,
                std::size_t from_row, std::size_t to_row, detail::QualityBuffers& ws, const Then& then) {
  const kernels::BoxKernels& boxes = kernels::box_kernels();
  const kernels::BitKernels& bits = kernels::bit_kernels();
  const std::size_t width = data.width;
  // Of 1 x 1, 2 x 2 and 4 x 4: as many rows as a box of twice the size reaches back over.
  std::array<SumRows, 4> of{{{ws.sums[0], ws.counts[0], 2, width, 1},
                             {ws.sums[1], ws.counts[1], 4, width, 4},
                             {ws.sums[2], ws.counts[2], 8, width, 16},
                             {ws.sums[3], ws.counts[3], 1, width, 64}}};
  ws.fine.resize(reach * width);
  ws.coarse.resize(reach * width);
  for (std::size_t y = from_row; y < to_row; ++y) {
    if ((bits.all_bits(mask.row(y), width) & mask_left_out) == 0 && bits.all_bits(glare + y * width, width) == 0) {
      of[0].set(y, data.row(y), of[0].full());
    } else {
      boxes.fill(data.row(y), mask.row(y), glare + y * width, mask_left_out, width, of[0].own_sums(y),
                 of[0].own_counts(y));
      of[0].set(y, of[0].own_sums(y), of[0].own_counts(y));
    }
    std::size_t first = y;  // row of the boxes that this row completes
    for (std::size_t k = 0; k + 1 < of.size(); ++k) {
      const std::size_t step = std::size_t{1} << k;
      if (first < from_row + step) break;
      first -= step;
      const std::size_t n = width + 1 - 2 * step;
      const SumRows& from = of.at(k);
      SumRows& to = of.at(k + 1);
      boxes.double_sums(from.sums(first), from.sums(first + step), n, step, to.own_sums(first));
      const bool full = from.is_full(first) && from.is_full(first + step);
      if (!full) boxes.double_counts(from.counts(first), from.counts(first + step), n, step, to.own_counts(first));
      to.set(first, to.own_sums(first), full ? to.full() : to.own_counts(first));
      const std::size_t size = 2 * step;
      if (size != fine_px && size != coarse_px) continue;
      float* const means = row_of(size == fine_px ? ws.fine : ws.coarse, first, width);
      if (full) {
        boxes.full_means(to.sums(first), n, size * size, means);
      } else {
        boxes.means(to.sums(first), to.counts(first), n, size * size, means);
      }
    }
    then(y);
  }
}

double focus_of(double ratio) { return std::sqrt(std::max(ratio * ratio - 1, 0.0) / variance_between); }

// Least over largest focus from the generalised eigenvalues of both tensors.
double isotropy_of(const Tensor& fine, const Tensor& coarse) {
  const double half = trace(coarse) / 2;
  const double spread = std::sqrt(std::max(half * half - determinant(coarse), 0.0));
  if (!(half - spread >= least_balance * (half + spread))) return nan;
  const double mean = (fine.xx * coarse.yy + fine.yy * coarse.xx - 2 * fine.xy * coarse.xy) / (2 * determinant(coarse));
  const double root = std::sqrt(std::max(mean * mean - determinant(fine) / determinant(coarse), 0.0));
  const double largest = focus_of(mean + root);
  return largest > 0 ? focus_of(std::max(mean - root, 0.0)) / largest : nan;
}

}  // namespace

Sharpness sharpness(ImageView<const float> data, ImageView<const std::uint8_t> mask, QualityWorkspace& workspace) {
  const std::size_t height = data.height;
  const std::size_t width = data.width;
  if (height < reach || width < reach) return {};
  detail::QualityBuffers& ws = *workspace.own;
  // Both scales around the same points, where all eight boxes are: the fine ones lie in the middle of the coarse ones.
  constexpr std::size_t inset = coarse_px - fine_px;
  const std::size_t rows = height + 1 - reach;
  const std::size_t columns = width + 1 - reach;
  const std::size_t blocks = (columns + kernels::energy_block - 1) / kernels::energy_block;
  const auto coarse_at = [&](std::size_t y) { return row_of(ws.coarse, y, width); };
  const auto fine_at = [&](std::size_t y) { return row_of(ws.fine, y + inset, width) + inset; };
  const auto boxes_at = [&](std::size_t y) {
    return kernels::BoxRows{coarse_at(y), coarse_at(y + coarse_px), fine_at(y), fine_at(y + fine_px)};
  };
  // So that rows can be read up to the next multiple: the boxes of the last place reach to the last pixel.
  static_assert(kernels::places_at_once <= coarse_px);
  ws.values.resize((columns + kernels::places_at_once - 1) / kernels::places_at_once * kernels::places_at_once);
  ws.largest.resize(rows * blocks);
  HighestEnergies highest(ws.bins, rows * columns / top_of + 1);
  double noise = 0;
  std::size_t n = 0;
  // Calls use(y) for the rows of places in [first, end), while their boxes are in cache.
  const auto each_row = [&](std::size_t first, std::size_t end, const auto& use) {
    make_means(data, mask, workspace.glare.data(), first, end + reach - 1, ws, [&](std::size_t last) {
      if (last + 1 >= first + reach) use(last + 1 - reach);
    });
  };
  each_row(0, rows, [&](std::size_t y) {
    const std::span largest(ws.largest.data() + y * blocks, blocks);
    const auto found =
        kernels::box_kernels().energies(boxes_at(y), columns, coarse_px, fine_px, ws.values.data(), largest.data());
    noise += found.noise;
    n += found.n;
    highest.add(std::span(ws.values).first(columns), largest);
  });
  if (n == 0) return {};
  // Of a box of 8 x 8, which holds 16 of 2 x 2.
  noise *= static_cast<double>(fine_px * fine_px) / static_cast<double>(coarse_px * coarse_px) / static_cast<double>(n);
  const float top = highest.top(n / top_of + 1);
  if (!(top > 0 && static_cast<double>(top) >= least_energy_over_noise * noise)) return {};
  Tensor fine_sum;
  Tensor coarse_sum;
  const auto holds_any = [&](std::size_t y) {
    const std::span row(ws.largest.data() + y * blocks, blocks);
    return std::ranges::any_of(row, [&](float largest) { return largest >= share_of_top * top; });
  };
  // The means once more, where they are asked for: to keep those of the whole frame would take longer.
  for (std::size_t first = 0; first < rows; ++first) {
    if (!holds_any(first)) continue;
    std::size_t end = first + 1;
    for (std::size_t y = end; y < rows && y < end + reach; ++y) {
      if (holds_any(y)) end = y + 1;
    }
    each_row(first, end, [&](std::size_t y) {
      kernels::box_kernels().add_tensors(boxes_at(y), columns, coarse_px, fine_px, ws.largest.data() + y * blocks,
                                         share_of_top * top, noise, &fine_sum, &coarse_sum);
    });
    first = end;
  }
  fine_sum = scaled(fine_sum, 1.0 / static_cast<double>(fine_px * fine_px));  // gradients per px
  coarse_sum = scaled(coarse_sum, 1.0 / static_cast<double>(coarse_px * coarse_px));
  return {focus_of(trace(fine_sum) / trace(coarse_sum)), isotropy_of(fine_sum, coarse_sum)};
}

}  // namespace pyicg
