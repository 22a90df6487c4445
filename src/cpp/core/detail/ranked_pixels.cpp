#include "ranked_pixels.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "parallel.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

// So many pixels, evenly spread, are enough to see where the values lie.
constexpr double enough = 4096;

}  // namespace

std::size_t RankedPixels::bin_of(float v) const {
  std::int32_t bin = 0;
  kernels::rank_kernels().bins(&v, 1, origin_, scale_, &bin);
  return static_cast<std::size_t>(bin);
}

float RankedPixels::middle(std::size_t bin) const { return origin_ + (static_cast<float>(bin) + 0.5F) / scale_; }

template <class Read>
void RankedPixels::read_rows(const Read& read) {
  parallel_ranges(rows_->height(), threads_, [&](std::size_t first, std::size_t last) {
    std::unique_ptr<Reader> reader;
    {
      const std::scoped_lock lock(mutex_);
      if (!readers_.empty()) {
        reader = std::move(readers_.back());
        readers_.pop_back();
      }
    }
    if (!reader) reader = std::make_unique<Reader>();
    read(*reader, first, last);
    const std::scoped_lock lock(mutex_);
    readers_.push_back(std::move(reader));
  });
}

std::span<const float> RankedPixels::read_row(Reader& reader, std::size_t y) const {
  const std::span<const float> values = rows_->row(y, reader.row);
  reader.row_bins.resize(std::max(reader.row_bins.size(), values.size()));
  kernels::rank_kernels().bins(values.data(), values.size(), origin_, scale_, reader.row_bins.data());
  return values;
}

// From the median 6 standard deviations to either side, of a normal distribution with the scatter of a sample.
void RankedPixels::choose_bins() {
  const auto stride = static_cast<std::size_t>(std::max(std::sqrt(static_cast<double>(n_) / enough), 1.0));
  sample_.clear();
  for (std::size_t y = 0; y < rows_->height(); y += stride) {
    const std::span<const float> values = rows_->row(y, sampled_);
    for (std::size_t x = 0; x < values.size(); x += stride) {
      if (!std::isnan(values[x])) sample_.push_back(values[x]);
    }
  }
  origin_ = 0;
  scale_ = 1;
  if (sample_.empty()) return;
  const auto centre = static_cast<float>(median(sample_));
  for (float& v : sample_) v = std::fabs(v - centre);
  const auto reach = static_cast<float>(9 * median(sample_));
  // Beyond the numbers that leave room for the bins' middles, the bins stay where they are and tell nothing.
  constexpr float most = 1e37F;
  if (!(std::fabs(centre) < most && reach < most)) return;
  origin_ = centre - reach;
  if (reach > 0) scale_ = static_cast<float>(bins) / (2 * reach);
  if (!std::isfinite(scale_)) {
    origin_ = 0;
    scale_ = 1;
  }
}

void RankedPixels::count(const ValueRows& rows, std::size_t n, const Threads& threads) {
  rows_ = &rows;
  threads_ = threads;
  n_ = n;
  place_.fill(0);
  collected_.clear();
  choose_bins();
  below_.fill(0);
  read_rows([&](Reader& reader, std::size_t first, std::size_t last) {
    auto& [even, odd] = reader.counts;
    even.fill(0);
    odd.fill(0);
    for (std::size_t y = first; y < last; ++y) {
      const std::span<const float> values = read_row(reader, y);
      const std::int32_t* const bin = reader.row_bins.data();
      std::size_t x = 0;
      for (; x + 2 <= values.size(); x += 2) {
        ++even[static_cast<std::size_t>(bin[x])];
        ++odd[static_cast<std::size_t>(bin[x + 1])];
      }
      if (x < values.size()) ++even[static_cast<std::size_t>(bin[x])];
    }
    const std::scoped_lock lock(mutex_);
    for (std::size_t bin = 0; bin < bins; ++bin) below_[bin + 1] += even[bin] + odd[bin];
  });
  std::partial_sum(below_.begin(), below_.end(), below_.begin());
}

RankedPixels::Values RankedPixels::look_into(std::size_t bin) {
  if (place_[bin] == 0 && held(bin) > 0) {
    asked_.push_back(bin);
    return {};
  }
  if (held(bin) == 0) return {{}, true};
  return {std::span(collected_).subspan(place_[bin] - 1, held(bin)), true};
}

void RankedPixels::collect(std::size_t margin) {
  std::array<std::uint8_t, bins + 1> wanted{};
  std::array<std::size_t, bins> next{};
  std::size_t total = collected_.size();
  for (const std::size_t bin : asked_) {
    for (std::size_t b = bin - std::min(bin, margin); b <= std::min(bin + margin, bins - 1); ++b) {
      if (place_[b] != 0 || held(b) == 0) continue;
      wanted[b] = 1;
      place_[b] = total + 1;
      next[b] = total;
      total += held(b);
    }
  }
  collected_.resize(total);
  read_rows([&](Reader& reader, std::size_t first, std::size_t last) {
    std::size_t n = 0;
    for (std::size_t y = first; y < last; ++y) {
      const std::span<const float> values = read_row(reader, y);
      const std::int32_t* const bin = reader.row_bins.data();
      reader.kept.resize(std::max(reader.kept.size(), n + values.size()));
      float* const kept = reader.kept.data();
      const auto look = [&](std::size_t x) { return wanted[static_cast<std::size_t>(bin[x])]; };
      const auto keep = [&](std::size_t x) {
        kept[n] = values[x];
        n += look(x);
      };
      constexpr std::size_t together = 8;  // most of them hold nothing
      std::size_t x = 0;
      for (; x + together <= values.size(); x += together) {
        unsigned any = 0;
        for (std::size_t k = 0; k < together; ++k) any |= look(x + k);
        for (std::size_t k = 0; any != 0 && k < together; ++k) keep(x + k);
      }
      for (; x < values.size(); ++x) keep(x);
    }
    reader.row_bins.resize(std::max(reader.row_bins.size(), n));
    kernels::rank_kernels().bins(reader.kept.data(), n, origin_, scale_, reader.row_bins.data());
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < n; ++i) {
      collected_[next[static_cast<std::size_t>(reader.row_bins[i])]++] = reader.kept[i];
    }
  });
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
std::pair<double, double> RankedPixels::middle_distances(const Ranks& ranks, double centre, Distance distance) {
  const std::size_t position = (ranks.size() - 1) / 2;
  const bool between = ranks.size() % 2 == 0;  // of two order statistics
  const double place = (centre - static_cast<double>(origin_)) * static_cast<double>(scale_);
  const auto at = static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins - 1)));
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
  distances_.clear();
  bool exact = true;
  for (std::size_t bin = first_bin(far); bin <= last_bin(far); ++bin) {
    if (near != bins && bin >= first_bin(near) && bin <= last_bin(near)) continue;
    if (held(bin, bin + 1, ranks) == 0) continue;
    const Values values = look_into(bin);
    exact = exact && values.exact;
    if (!exact) continue;
    for (const float v : part(values.all, bin, ranks)) distances_.push_back(distance(v, centre));
  }
  if (!exact) {
    const double guess = static_cast<double>(static_cast<float>(lower) / scale_);
    return {guess, guess};
  }
  const auto nth = distances_.begin() + static_cast<std::ptrdiff_t>(position - nearer);
  std::nth_element(distances_.begin(), nth, distances_.end());
  return {*nth, between ? *std::min_element(nth + 1, distances_.end()) : *nth};
}

}  // namespace pyicg::detail
