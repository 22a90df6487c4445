// Order statistics of keys that are too many to hold: their bins are counted digit by digit, from the leading bits
// down, until the few keys left can be picked out. Counts are whole numbers, so threads do not change the result.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "parallel.hpp"

namespace pyicg::detail {

inline constexpr std::size_t few_keys = 65536;

template <class Key, class Rows>
class RadixSelect {
 public:
  // `rows(first, last, visit)` calls visit(span of keys, which it may overwrite) on those rows; all rows together hold
  // n keys, n < 2^32.
  RadixSelect(std::size_t n, std::size_t height, const Threads& threads, const Rows& rows)
      : n_(n), height_(height), threads_(threads), rows_(rows) {}

  // The keys of the ranks told: 0 is the smallest. `ranks` ascend, each below n.
  std::vector<Key> operator()(std::span<const std::size_t> ranks) {
    bins_ = {{0, 0, n_}};
    unknown_ = std::numeric_limits<Key>::digits;
    while (unknown_ > 0 && held() > std::max(few_keys, n_ / 8)) count_next_digit(ranks);
    return unknown_ > 0 ? pick(ranks) : prefixes(ranks);
  }

 private:
  static constexpr int digits = std::numeric_limits<Key>::digits;
  static constexpr int top_digit = 16;

  // Keys whose leading bits are `prefix`; `below` keys are smaller.
  struct Bin {
    Key prefix;
    std::size_t below;
    std::size_t held;
  };

  [[nodiscard]] std::size_t held() const {
    std::size_t sum = 0;
    for (const Bin& bin : bins_) sum += bin.held;
    return sum;
  }

  // Splits every bin by its next digit and keeps the parts that hold a rank.
  void count_next_digit(std::span<const std::size_t> ranks) {
    const int width = bins_.size() <= 16 ? 16 : 8;  // many bins: short tables
    const std::size_t table = std::size_t{1} << width;
    const int shift = unknown_ - width;
    std::vector<std::uint32_t> counts;  // 32 bits: n is below 2^32
    Key seen = 0;                       // the bits that any key has
    std::mutex mutex;
    index_bins();
    parallel_ranges(height_, threads_, [&](std::size_t first, std::size_t last) {
      std::vector<std::uint32_t> mine(bins_.size() * table);
      Key bits = 0;
      rows_(first, last, [&, count = mine.data()](std::span<Key> keys) {
        if (unknown_ == digits) {
          for (const Key key : keys) {
            ++count[key >> shift];
            bits |= key;
          }
          return;
        }
        for (const Key key : near_bins(keys)) {
          bits |= key;
          const std::size_t bin = bin_of(key);
          if (bin < bins_.size()) ++count[bin * table + ((key >> shift) & (table - 1))];
        }
      });
      const std::scoped_lock lock(mutex);
      seen |= bits;
      counts.swap(mine);  // the first one to end has nothing to add to
      std::transform(mine.begin(), mine.end(), counts.begin(), counts.begin(), std::plus<>());
    });
    std::vector<Bin> parts;
    auto rank = ranks.begin();
    for (std::size_t b = 0; b < bins_.size(); ++b) {
      std::size_t below = bins_[b].below;
      for (std::size_t d = 0; d < table && rank != ranks.end(); ++d) {
        const std::size_t count = counts[b * table + d];
        if (*rank < below + count) parts.push_back({static_cast<Key>((bins_[b].prefix << width) | d), below, count});
        below += count;
        while (rank != ranks.end() && *rank < below) ++rank;
      }
    }
    bins_ = std::move(parts);
    unknown_ = shift;
    if ((seen & ((Key{1} << shift) - 1)) == 0) {  // whole counts: nothing but zeros follows
      for (Bin& bin : bins_) bin.prefix <<= shift;
      unknown_ = 0;
    }
  }

  // The ranks among the keys of all bins, picked from a copy of those.
  std::vector<Key> pick(std::span<const std::size_t> ranks) {
    index_bins();
    std::vector<Key> kept;
    kept.reserve(held());
    std::mutex mutex;
    parallel_ranges(height_, threads_, [&](std::size_t first, std::size_t last) {
      std::vector<Key> mine;
      rows_(first, last, [&](std::span<Key> keys) {
        for (const Key key : near_bins(keys)) {
          if (bin_of(key) < bins_.size()) mine.push_back(key);
        }
      });
      const std::scoped_lock lock(mutex);
      kept.insert(kept.end(), mine.begin(), mine.end());
    });
    std::vector<Key> found;
    auto bin = bins_.begin();
    auto from = kept.begin();
    std::size_t before = 0;  // keys kept of the bins before this one
    for (const std::size_t rank : ranks) {
      while (rank >= bin->below + bin->held) before += (bin++)->held;
      const auto nth = kept.begin() + static_cast<std::ptrdiff_t>(before + rank - bin->below);
      if (nth >= from) {
        std::nth_element(from, nth, kept.end());
        from = nth + 1;
      }
      found.push_back(*nth);
    }
    return found;
  }

  // Every bin is a single key.
  [[nodiscard]] std::vector<Key> prefixes(std::span<const std::size_t> ranks) const {
    std::vector<Key> found;
    auto bin = bins_.begin();
    for (const std::size_t rank : ranks) {
      while (rank >= bin->below + bin->held) ++bin;
      found.push_back(bin->prefix);
    }
    return found;
  }

  // Bins [first_[d], first_[d + 1]) are those whose leading digit is d.
  void index_bins() {
    if (unknown_ == digits) return;
    first_.assign((std::size_t{1} << top_digit) + 1, 0);
    near_.assign(std::size_t{1} << top_digit, 0);
    for (const Bin& bin : bins_) {
      const auto digit = static_cast<std::size_t>(bin.prefix >> (digits - unknown_ - top_digit));
      ++first_[digit + 1];
      near_[digit] = 1;
    }
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
  }

  // The keys that share their leading digit with a bin, moved to the front; without a branch, which would be guessed
  // wrong.
  [[nodiscard]] std::span<Key> near_bins(std::span<Key> keys) const {
    if (unknown_ == digits) return keys;
    const std::uint8_t* is_near = near_.data();
    std::size_t n = 0;
    for (const Key key : keys) {
      keys[n] = key;
      n += is_near[key >> (digits - top_digit)];
    }
    return keys.first(n);
  }

  // Which bin holds the key; no bin: their number.
  [[nodiscard]] std::size_t bin_of(Key key) const {
    if (unknown_ == digits) return 0;
    const auto digit = static_cast<std::size_t>(key >> (digits - top_digit));
    const Key prefix = key >> unknown_;
    const auto end = bins_.begin() + first_[digit + 1];
    const auto at = std::lower_bound(bins_.begin() + first_[digit], end, prefix,
                                     [](const Bin& bin, Key wanted) { return bin.prefix < wanted; });
    return at != end && at->prefix == prefix ? static_cast<std::size_t>(at - bins_.begin()) : bins_.size();
  }

  std::size_t n_;
  std::size_t height_;
  Threads threads_;
  const Rows& rows_;
  std::vector<Bin> bins_;  // in order
  std::vector<std::uint32_t> first_;
  std::vector<std::uint8_t> near_;  // by leading digit
  int unknown_ = digits;            // bits below the prefixes
};

}  // namespace pyicg::detail
