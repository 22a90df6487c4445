#include "pyicg/statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "../kernels/exact_sums.hpp"
#include "detail/number.hpp"
#include "detail/parallel.hpp"
#include "detail/radix_select.hpp"
#include "detail/ranked_pixels.hpp"
#include "detail/region_pixels.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

using detail::RegionPixels;
using kernels::Sum;

void add(double v, Sum& sum) {
  const double next = sum.total + v;
  const double taken = next - sum.total;
  sum.lost += (sum.total - (next - taken)) + (v - taken);
  sum.total = next;
}

void add(const Sum& part, Sum& sum) {
  add(part.total, sum);
  sum.lost += part.lost;
}

// What is known of a row, and of all rows added in order.
struct Account {
  RegionPixels::Count count;
  std::size_t n = 0;
  kernels::RowSum values{{}, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
};

Account account(RegionPixels& pixels, ImageView<const std::uint8_t> mask, ImageView<const std::uint8_t> region,
                const Threads& threads) {
  std::vector<Account> rows(pixels.height());
  detail::parallel_ranges(rows.size(), threads, [&](std::size_t first, std::size_t last) {
    std::vector<float> buffer;
    pixels.select(first, last, mask, region, [&](std::size_t y, const RegionPixels::Count& count) {
      const std::span<const float> values = pixels.row(y, buffer);
      rows[y] = {count, values.size(), kernels::sum_kernels().values(values.data(), values.size())};
    });
  });
  Account all;
  for (const Account& row : rows) {
    all.count.asked += row.count.asked;
    all.count.saturated += row.count.saturated;
    all.n += row.n;
    all.values.least = std::min(all.values.least, row.values.least);
    all.values.most = std::max(all.values.most, row.values.most);
    add(row.values.sum, all.values.sum);
  }
  return all;
}

// Whole numbers that rise as the floating-point numbers do. Zero has one sign.
std::uint32_t key_of(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v + 0.0F);
  return bits ^ ((bits >> 31U) != 0 ? 0xFFFFFFFFU : 0x80000000U);
}

double value_of(std::uint32_t key) {
  return static_cast<double>(std::bit_cast<float>(key ^ ((key >> 31U) != 0 ? 0x80000000U : 0xFFFFFFFFU)));
}

// The same for doubles that are not negative: their sign bit is no digit.
std::uint64_t distance_key(double v) { return std::bit_cast<std::uint64_t>(v) << 1U; }
double distance_of(std::uint64_t key) { return std::bit_cast<double>(key >> 1U); }

template <class Key, class KeyOf>
std::vector<Key> order_statistics(const RegionPixels& pixels, std::size_t n, std::vector<std::size_t> ranks,
                                  const Threads& threads, const KeyOf& key) {
  const auto rows = [&](std::size_t first, std::size_t last, const auto& visit) {
    std::vector<float> buffer;
    std::vector<Key> keys;
    for (std::size_t y = first; y < last; ++y) {
      const std::span<const float> values = pixels.row(y, buffer);
      keys.resize(values.size());
      std::transform(values.begin(), values.end(), keys.begin(), key);
      visit(std::span<Key>(keys));
    }
  };
  return detail::RadixSelect<Key, decltype(rows)>(n, pixels.height(), threads, rows)(ranks);
}

double middle(double lower, double upper) { return (lower + upper) / 2; }

std::size_t place_of(std::size_t rank, std::span<const std::size_t> ranks) {
  return static_cast<std::size_t>(std::lower_bound(ranks.begin(), ranks.end(), rank) - ranks.begin());
}

struct OrderStatistics {
  explicit OrderStatistics(std::size_t ranks) : ranked(ranks) {}
  std::vector<double> ranked;  // what lies at the ranks asked for
  double median = nan;
  double mad = nan;
};

double distance(float v, double centre) { return std::fabs(static_cast<double>(v) - centre); }

// Counts the bins that the values lie in, and adds up their squared differences from the mean on the way.
double count(const RegionPixels& pixels, std::size_t n, double mean, const Threads& threads,
             detail::RankedPixels& binned) {
  std::vector<Sum> rows(pixels.height());
  binned.count(pixels, n, threads, [&](std::size_t y, std::span<const float> values) {
    rows[y] = kernels::sum_kernels().squares(values.data(), values.size(), mean);
  });
  Sum sum;
  for (const Sum& row : rows) add(row, sum);
  return sum.total + sum.lost;
}

// `ranks` ascend and hold those in the middle. False where bins of equal width do not tell the values apart.
bool from_bins(detail::RankedPixels& binned, const std::vector<std::size_t>& ranks, OrderStatistics& found) {
  const std::size_t n = binned.size();
  const auto work = [&] {
    // Zero has one sign.
    std::transform(ranks.begin(), ranks.end(), found.ranked.begin(),
                   [&](std::size_t rank) { return binned.ranked(rank) + 0.0; });
    found.median = middle(found.ranked[place_of((n - 1) / 2, ranks)], found.ranked[place_of(n / 2, ranks)]);
    const auto [lower, upper] = binned.middle_distances({0, n}, found.median, distance);
    found.mad = middle(lower, upper);
  };
  return binned.exactly(0, work, std::max(detail::few_keys, n / 8));
}

// However the values are spread.
void by_digits(const RegionPixels& pixels, std::size_t n, const std::vector<std::size_t>& ranks, const Threads& threads,
               OrderStatistics& found) {
  const auto keys = order_statistics<std::uint32_t>(pixels, n, ranks, threads, [](float v) { return key_of(v); });
  std::transform(keys.begin(), keys.end(), found.ranked.begin(), value_of);
  found.median = middle(found.ranked[place_of((n - 1) / 2, ranks)], found.ranked[place_of(n / 2, ranks)]);
  const auto middle_two = order_statistics<std::uint64_t>(
      pixels, n, {(n - 1) / 2, n / 2}, threads, [&](float v) { return distance_key(distance(v, found.median)); });
  found.mad = middle(distance_of(middle_two.front()), distance_of(middle_two.back()));
}

// numpy's linear interpolation, to the bit: from the nearer of both ends.
double between(double lower, double upper, double share) {
  const double step = upper - lower;
  return share < 0.5 ? lower + step * share : upper - step * (1 - share);
}

void check(ImageView<const float> data, ImageView<const std::uint8_t> view, const char* name) {
  if (view.height == data.height && view.width == data.width) return;
  throw Error(ErrorKind::input, std::string(name) + " is " + std::to_string(view.height) + " x " +
                                    std::to_string(view.width) + ", the frame " + std::to_string(data.height) + " x " +
                                    std::to_string(data.width));
}

}  // namespace

RegionStatistics region_statistics(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                                   ImageView<const std::uint8_t> region, std::span<const double> percentages,
                                   const Threads& threads) {
  check(data, mask, "mask");
  if (region.data != nullptr) check(data, region, "region");
  for (const double p : percentages) {
    if (p >= 0 && p <= 100) continue;
    throw Error(ErrorKind::input, "a percentile of " + detail::number(p) + " was asked for, expected 0 to 100");
  }
  if (data.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorKind::input, "the frame has " + std::to_string(data.size()) +
                                      " pixels, expected fewer than 2^32; measure it in parts");
  }
  RegionPixels pixels(data);
  const Account all = account(pixels, mask, region, threads);
  const std::size_t n = all.n;
  RegionStatistics s;
  s.n = n;
  s.n_left_out = all.count.asked - n;
  s.n_saturated = all.count.saturated;
  s.percentiles.assign(percentages.size(), nan);
  if (n == 0) return s;
  s.minimum = static_cast<double>(all.values.least) + 0.0;  // zero has one sign
  s.maximum = static_cast<double>(all.values.most) + 0.0;
  s.sum = all.values.sum.total + all.values.sum.lost;
  s.mean = s.sum / static_cast<double>(n);
  const auto binned = std::make_unique<detail::RankedPixels>();
  const double squares = count(pixels, n, s.mean, threads, *binned);
  if (n > 1) s.sd = std::sqrt(squares / static_cast<double>(n - 1));

  // Two neighbours for each percentile, and the two in the middle.
  std::vector<std::size_t> ranks{(n - 1) / 2, n / 2};
  std::vector<double> positions;
  for (const double p : percentages) {
    positions.push_back(static_cast<double>(n - 1) * (p / 100));
    const auto below = static_cast<std::size_t>(positions.back());
    ranks.insert(ranks.end(), {below, std::min(below + 1, n - 1)});
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  OrderStatistics found(ranks.size());
  if (!from_bins(*binned, ranks, found)) by_digits(pixels, n, ranks, threads, found);
  s.median = found.median;
  s.mad = found.mad;
  const auto ranked = [&](std::size_t rank) { return found.ranked[place_of(rank, ranks)]; };
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto below = static_cast<std::size_t>(positions[i]);
    s.percentiles[i] =
        between(ranked(below), ranked(std::min(below + 1, n - 1)), positions[i] - static_cast<double>(below));
  }
  return s;
}

}  // namespace pyicg
