#include "ranked_pixels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../../kernels/tile_rows.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

// Every so many pixels along either axis are enough to see where the values lie.
constexpr std::size_t enough = 4096;

}  // namespace

std::size_t RankedPixels::bin_of(float v) const {
  std::int32_t bin = 0;
  kernels::rank_kernels().bins(&v, 1, origin_, scale_, &bin);
  return static_cast<std::size_t>(bin);
}

float RankedPixels::middle(std::size_t bin) const { return origin_ + (static_cast<float>(bin) + 0.5F) / scale_; }

template <class Visit>
void RankedPixels::each_row(const Visit& visit) {
  constexpr float all = std::numeric_limits<float>::infinity();
  std::size_t above = 0;
  const std::size_t width = frame_.data.width;
  picked_.resize(width);
  row_bins_.resize(width);
  for (std::size_t y = 0; y < frame_.data.height; ++y) {
    kernels::tile_kernels().pick(frame_.data.row(y), frame_.mask.row(y), mask_left_out, mask_underflow, -all, all,
                                 width, picked_.data(), &above);
    kernels::rank_kernels().bins(picked_.data(), width, origin_, scale_, row_bins_.data());
    visit();
  }
}

void RankedPixels::count(const CalibratedView& frame, std::size_t n) {
  frame_ = frame;
  n_ = n;
  place_.fill(0);
  collected_.clear();
  scratch_.clear();
  const auto size = static_cast<double>(frame.data.size());
  const auto stride = static_cast<std::size_t>(std::max(std::sqrt(size / enough), 1.0));
  for (std::size_t y = 0; y < frame.data.height; y += stride) {
    for (std::size_t x = 0; x < frame.data.width; x += stride) {
      if ((frame.mask(y, x) & mask_left_out) == 0) scratch_.push_back(frame.data(y, x));
    }
  }
  origin_ = 0;
  scale_ = 1;
  if (!scratch_.empty()) {
    // 6 standard deviations to either side of the median, of a normal distribution with that scatter.
    const auto centre = static_cast<float>(median(scratch_));
    for (float& v : scratch_) v = std::fabs(v - centre);
    const auto reach = static_cast<float>(9 * median(scratch_));
    origin_ = centre - reach;
    if (reach > 0) scale_ = static_cast<float>(bins) / (2 * reach);
    if (!std::isfinite(scale_)) scale_ = 1;
  }
  // Neighbours are often in one bin, and a count waits for the last one of the same bin: two tables in turn.
  std::array<std::array<std::uint32_t, bins + 1>, 2> counts{};
  each_row([&] {
    std::size_t x = 0;
    for (; x + 2 <= row_bins_.size(); x += 2) {
      ++counts[0][static_cast<std::size_t>(row_bins_[x])];
      ++counts[1][static_cast<std::size_t>(row_bins_[x + 1])];
    }
    if (x < row_bins_.size()) ++counts[0][static_cast<std::size_t>(row_bins_[x])];
  });
  below_[0] = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) below_[bin + 1] = below_[bin] + counts[0][bin] + counts[1][bin];
}

RankedPixels::Values RankedPixels::look_into(std::size_t bin) {
  if (place_[bin] == 0 && held(bin) > 0) {
    asked_.push_back(bin);
    return {};
  }
  if (held(bin) == 0) return {{}, true};
  return {std::span(collected_).subspan(place_[bin] - 1, held(bin)), true};
}

bool RankedPixels::collect() {
  if (asked_.empty()) return false;
  constexpr std::size_t margin = 3;  // guesses may be some bins off, and another round costs more
  std::array<std::uint8_t, bins + 1> wanted{};
  std::array<std::size_t, bins> next{};
  for (const std::size_t bin : asked_) {
    for (std::size_t b = bin < margin ? 0 : bin - margin; b <= std::min(bin + margin, bins - 1); ++b) {
      if (place_[b] != 0 || held(b) == 0) continue;
      wanted[b] = 1;
      place_[b] = collected_.size() + 1;
      next[b] = collected_.size();
      collected_.resize(collected_.size() + held(b));
    }
  }
  const auto keep = [&](std::size_t x) {
    const auto bin = static_cast<std::size_t>(row_bins_[x]);
    if (wanted[bin] != 0) collected_[next[bin]++] = picked_[x];
  };
  each_row([&] {
    constexpr std::size_t together = 8;  // most of them hold nothing
    const std::size_t width = row_bins_.size();
    std::size_t x = 0;
    for (; x + together <= width; x += together) {
      unsigned any = 0;
      for (std::size_t k = 0; k < together; ++k) any |= wanted[static_cast<std::size_t>(row_bins_[x + k])];
      for (std::size_t k = 0; any != 0 && k < together; ++k) keep(x + k);
    }
    for (; x < width; ++x) keep(x);
  });
  return true;
}

double RankedPixels::ranked(std::size_t rank) {
  const auto bin = static_cast<std::size_t>(std::upper_bound(below_.begin(), below_.end(), rank) - below_.begin()) - 1;
  const Values values = look_into(bin);
  if (!values.exact) return static_cast<double>(middle(bin));
  const auto nth = values.all.begin() + static_cast<std::ptrdiff_t>(rank - below_[bin]);
  std::nth_element(values.all.begin(), nth, values.all.end());
  return static_cast<double>(*nth);
}

double RankedPixels::quantile(const Ranks& ranks, double q) {
  const double position = q * static_cast<double>(ranks.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const double lower = ranked(ranks.first + below);
  const double share = position - static_cast<double>(below);
  if (share == 0.0) return lower;
  return lower + share * (ranked(ranks.first + below + 1) - lower);
}

std::size_t RankedPixels::held(std::size_t first, std::size_t last, const Ranks& ranks) const {
  return std::clamp(below_[last], ranks.first, ranks.last) - std::clamp(below_[first], ranks.first, ranks.last);
}

std::span<float> RankedPixels::part(std::span<float> values, std::size_t bin, const Ranks& ranks) const {
  const std::size_t first = std::clamp(ranks.first, below_[bin], below_[bin + 1]) - below_[bin];
  const std::size_t last = std::clamp(ranks.last, below_[bin], below_[bin + 1]) - below_[bin];
  const auto at = [&](std::size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
  if (first > 0 && first < values.size()) std::nth_element(values.begin(), at(first), values.end());
  if (last > first && last < values.size()) std::nth_element(at(first), at(last), values.end());
  return values.subspan(first, last - first);
}

// With bins of width w, the pixels in bins up to j from the centre's lie at most (j + 1) w from the centre, and those
// beyond at least j w. So where j is the first for which enough pixels lie within, the median distance is between
// (j - 1) w and (j + 1) w, and pixels that far lie in bins from j - 2 to j + 2.
double RankedPixels::median_distance(const Ranks& ranks, float centre) {
  const std::size_t position = (ranks.size() - 1) / 2;
  const bool between = ranks.size() % 2 == 0;  // of two order statistics
  const std::size_t at = bin_of(centre);
  const auto first_bin = [&](std::size_t j) { return at > j ? at - j : 0; };
  const auto last_bin = [&](std::size_t j) { return std::min(at + j, bins - 1); };
  const auto within = [&](std::size_t j) { return held(first_bin(j), last_bin(j) + 1, ranks); };
  const auto first_with = [&](std::size_t pixels) {
    std::size_t lo = 0;
    std::size_t hi = bins;
    while (lo < hi) {
      const std::size_t j = (lo + hi) / 2;
      within(j) >= pixels ? hi = j : lo = j + 1;
    }
    return lo;
  };
  const std::size_t lower = first_with(position + 1);
  const std::size_t upper = between ? first_with(position + 2) : lower;
  std::size_t near = lower >= 3 ? lower - 3 : bins;  // these bins and those nearer are nearer for sure; bins: none
  std::size_t far = upper + 2;
  // The bins at the ends have no width: where they may matter, every pixel is looked at.
  if (at <= far || at + far >= bins - 1) {
    const auto is_empty = [&](std::size_t bin) { return held(bin, bin + 1, ranks) == 0; };
    if ((at <= far && !is_empty(0)) || (at + far >= bins - 1 && !is_empty(bins - 1))) {
      near = bins;
      far = bins;
    }
  }
  const std::size_t nearer = near == bins ? 0 : within(near);
  scratch_.clear();
  bool exact = true;
  for (std::size_t bin = first_bin(far); bin <= last_bin(far); ++bin) {
    if (near != bins && bin >= first_bin(near) && bin <= last_bin(near)) continue;
    if (held(bin, bin + 1, ranks) == 0) continue;
    const Values values = look_into(bin);
    exact = exact && values.exact;
    if (!exact) continue;
    for (const float v : part(values.all, bin, ranks)) scratch_.push_back(std::fabs(v - centre));
  }
  if (!exact) return static_cast<double>(static_cast<float>(lower) / scale_);
  const auto nth = scratch_.begin() + static_cast<std::ptrdiff_t>(position - nearer);
  std::nth_element(scratch_.begin(), nth, scratch_.end());
  const auto found = static_cast<double>(*nth);
  if (!between) return found;
  return found + 0.5 * (static_cast<double>(*std::min_element(nth + 1, scratch_.end())) - found);
}

}  // namespace pyicg::detail
