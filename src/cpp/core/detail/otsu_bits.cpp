#include "otsu_bits.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "../../kernels/pixel_bits.hpp"
#include "bright.hpp"
#include "parallel.hpp"

namespace pyicg::detail {
namespace {

using kernels::gaussian_rows;
using kernels::grey_levels;

constexpr float none = std::numeric_limits<float>::quiet_NaN();
constexpr float infinite = std::numeric_limits<float>::infinity();

// The largest number whose level is not over the one told.
float largest_of_level(int level, float scale) {
  const auto over = [&](float value) { return std::nearbyint(scale * value) > static_cast<float>(level); };
  float cut = (static_cast<float>(level) + 0.5F) / scale;
  while (over(cut)) cut = std::nextafter(cut, -infinite);
  while (!over(std::nextafter(cut, infinite))) cut = std::nextafter(cut, infinite);
  return cut;
}

void add_pairs(const kernels::LevelPairs& found, LevelCounts& counts) {
  std::array<std::uint32_t, grey_levels> low{};
  for (std::size_t k = 0; k < grey_levels; ++k) {
    const std::span<const std::uint32_t, grey_levels> row(found.pairs + k * grey_levels, grey_levels);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < grey_levels; ++i) {
      sum += row[i];
      low[i] += row[i];
    }
    counts.at(k) += sum;
  }
  for (std::size_t k = 0; k < grey_levels; ++k) counts.at(k) += low.at(k) + found.singles[k];
}

}  // namespace

int otsu_level(const LevelCounts& counts) {
  double all = 0;
  double sum = 0;
  for (std::size_t k = 0; k < grey_levels; ++k) {
    all += static_cast<double>(counts.at(k));
    sum += static_cast<double>(counts.at(k)) * static_cast<double>(k);
  }
  int best = -1;
  double largest = -1;
  double below = 0;
  double sum_below = 0;
  for (std::size_t k = 0; k < grey_levels; ++k) {
    below += static_cast<double>(counts.at(k));
    sum_below += static_cast<double>(counts.at(k)) * static_cast<double>(k);
    const double above = all - below;
    if (below == 0 || above == 0) continue;
    const double apart = sum_below / below - (sum - sum_below) / above;
    const double between = below * above * (apart * apart);
    if (between > largest) {
      largest = between;
      best = static_cast<int>(k);
    }
  }
  return best;
}

// Calls work(y, last, share) for the rows of every share; they begin at multiples of gaussian_rows.
template <class Work>
void OtsuBits::share_rows(const Threads& threads, const Work& work) {
  const std::size_t blocks = (height_ + gaussian_rows - 1) / gaussian_rows;
  const std::size_t count = shares_.size();
  parallel_ranges(count, threads, [&](std::size_t first, std::size_t last) {
    for (std::size_t k = first; k < last; ++k) {
      const std::size_t end = std::min(blocks * (k + 1) / count * gaussian_rows, height_);
      work(blocks * k / count * gaussian_rows, end, shares_[k]);
    }
  });
}

void OtsuBits::leave_out(ImageView<const float> data, ImageView<const std::uint8_t> mask) {
  filled_.resize(data.size());
  weights_.resize(data.size());
  blurred_weights_.resize(data.size());
  for (std::size_t y = 0, i = 0; y < height_; ++y) {
    for (std::size_t x = 0; x < width_; ++x, ++i) {
      const bool valid = (mask(y, x) & not_in_picture) == 0;
      filled_[i] = valid ? data(y, x) : 0.0F;
      weights_[i] = valid ? 1.0F : 0.0F;
    }
  }
}

void OtsuBits::smooth_rows(ImageView<const float> data, const kernels::MirroredGaussian& blur, std::size_t y,
                           Share& share) {
  const std::size_t count = std::min(gaussian_rows, height_ - y);
  const ImageView<float> out(smooth_.data(), height_, width_);
  if (whole_) {
    blur.rows(data, y, out, share.lines);
  } else {
    // Normalised convolution: what is left out has no weight.
    constexpr float least = 0.01F;
    const ImageView<float> weights(blurred_weights_.data(), height_, width_);
    blur.rows({filled_.data(), height_, width_}, y, out, share.lines);
    blur.rows({weights_.data(), height_, width_}, y, weights, share.lines);
    for (std::size_t i = y * width_; i < (y + count) * width_; ++i) {
      const float weight = blurred_weights_[i];
      smooth_[i] = weight > least ? smooth_[i] / weight : none;
    }
  }
  const std::size_t words = kernels::words_of(width_);
  for (std::size_t j = 0; j < count; ++j) {
    kernels::level_kernels().largest(out.row(y + j), width_, most_.data() + (y + j) * words);
  }
}

void OtsuBits::count_row(std::size_t y, float scale, Share& share) const {
  const float* const row = smooth_.data() + y * width_;
  kernels::level_kernels().count(row, width_, scale, &share.counts);
  if (!whole_)
    share.missing += static_cast<std::size_t>(std::count_if(row, row + width_, [](float v) { return std::isnan(v); }));
}

// Words with a bright pixel are few and far between: those of the next row are sent for in time.
void OtsuBits::set_bits(std::size_t y, float cut) {
  constexpr std::size_t word = 64;
  constexpr std::size_t line = 16;  // numbers that come together from memory
  const std::size_t words = kernels::words_of(width_);
  const float* const row = smooth_.data() + y * width_;
  const std::size_t next = y + 1 < height_ ? words : 0;
  for (std::size_t w = 0; w < words; ++w) {
    const float* const most = most_.data() + y * words + w;
    if (most[next] > cut) {
      for (std::size_t i = 0; i < word; i += line) __builtin_prefetch(row + width_ + w * word + i);
    }
    std::uint64_t& bits = words_[y * words + w];
    if (*most > cut) {
      kernels::bit_kernels().over(row + w * word, cut, std::min(word, width_ - w * word), &bits);
    } else {
      bits = 0;
    }
  }
}

float OtsuBits::find(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma,
                     const RatioMap& ratio, const Threads& threads) {
  height_ = data.height;
  width_ = data.width;
  smooth_.resize(data.size());
  words_.resize(height_ * kernels::words_of(width_));
  most_.resize(words_.size());
  shares_.resize(
      std::clamp<std::size_t>(threads.count, 1, std::min(most_shares, (height_ + gaussian_rows - 1) / gaussian_rows)));
  share_rows(threads, [&](std::size_t first, std::size_t last, Share& share) {
    share.seen = 0;
    for (std::size_t y = first; y < last; ++y) share.seen |= kernels::bit_kernels().all_bits(mask.row(y), width_);
  });
  whole_ = std::ranges::all_of(shares_, [](const Share& share) { return (share.seen & not_in_picture) == 0; });
  if (!whole_) leave_out(data, mask);

  const kernels::MirroredGaussian blur(sigma);
  share_rows(threads, [&](std::size_t first, std::size_t last, Share& share) {
    for (std::size_t y = first; y < last; y += gaussian_rows) {
      smooth_rows(data, blur, y, share);
      if (ratio.out.data == nullptr) continue;
      for (std::size_t k = y; k < std::min(y + gaussian_rows, last); ++k) {
        kernels::level_kernels().divide(data.row(k), width_, ratio.level, ratio.out.row(k));
      }
    }
  });
  const float most = *std::max_element(most_.begin(), most_.end());
  if (!(most > 0) || !std::isfinite(most)) return none;
  const auto scale = static_cast<float>((grey_levels - 1) / static_cast<double>(most));
  if (!std::isfinite(scale)) return none;

  share_rows(threads, [&](std::size_t first, std::size_t last, Share& share) {
    std::ranges::fill(share.counts.pairs, 0U);
    std::ranges::fill(share.counts.singles, 0U);
    share.missing = 0;
    for (std::size_t y = first; y < last; ++y) count_row(y, scale, share);
  });
  LevelCounts counts{};
  for (const Share& share : shares_) {
    add_pairs(share.counts, counts);
    counts.front() -= share.missing;
  }
  const int level = otsu_level(counts);
  if (level < 0) return none;

  const float cut = largest_of_level(level, scale);
  share_rows(threads, [&](std::size_t first, std::size_t last, Share&) {
    for (std::size_t y = first; y < last; ++y) set_bits(y, cut);
  });
  return cut;
}

std::span<const std::uint64_t> OtsuBits::row(std::size_t y) const {
  const std::size_t words = kernels::words_of(width_);
  return std::span(words_).subspan(y * words, words);
}

}  // namespace pyicg::detail
