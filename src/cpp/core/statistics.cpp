#include "pyicg/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "detail/number.hpp"
#include "detail/region_values.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

double middle(double lower, double upper) { return (lower + upper) / 2; }

std::size_t place_of(std::size_t rank, std::span<const std::size_t> ranks) {
  return static_cast<std::size_t>(std::lower_bound(ranks.begin(), ranks.end(), rank) - ranks.begin());
}

struct OrderStatistics {
  explicit OrderStatistics(std::vector<std::size_t> ascending) : ranks(std::move(ascending)), ranked(ranks.size()) {}

  std::vector<std::size_t> ranks;  // ascend, and hold those in the middle
  std::vector<double> ranked;      // what lies at them
  double median = nan;
  double mad = nan;

  [[nodiscard]] double at(std::size_t rank) const { return ranked[place_of(rank, ranks)]; }

  // False where the values have to be looked at again.
  bool find(std::size_t n, detail::RegionValues& values) {
    if (!values.ranked(ranks, ranked)) return false;
    for (double& v : ranked) v += 0.0;  // zero has one sign
    median = middle(at((n - 1) / 2), at(n / 2));
    const auto distances = values.middle_distances(median);
    if (!distances) return false;
    mad = middle(distances->first, distances->second);
    return true;
  }
};

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
  std::vector<double> shares;
  for (const double p : percentages) shares.push_back(p / 100);
  detail::RegionValues values(data, mask, region, threads);
  double reach = 4;  // seldom missed
  values.look(shares, reach);
  const kernels::RegionCounts& counts = values.counts();
  const std::size_t n = counts.n;
  RegionStatistics s;
  s.n = n;
  s.n_left_out = counts.asked - n;
  s.n_saturated = counts.saturated;
  s.percentiles.assign(percentages.size(), nan);
  if (n == 0) return s;
  s.minimum = static_cast<double>(counts.least) + 0.0;  // zero has one sign
  s.maximum = static_cast<double>(counts.most) + 0.0;
  s.sum = values.sum().total + values.sum().lost;
  s.mean = s.sum / static_cast<double>(n);
  if (n > 1) s.sd = std::sqrt(values.squares() / static_cast<double>(n - 1));

  // Two neighbours for each percentile, and the two in the middle.
  std::vector<std::size_t> ranks{(n - 1) / 2, n / 2};
  std::vector<double> positions;
  for (const double share : shares) {
    positions.push_back(static_cast<double>(n - 1) * share);
    const auto below = static_cast<std::size_t>(positions.back());
    ranks.insert(ranks.end(), {below, std::min(below + 1, n - 1)});
  }
  std::ranges::sort(ranks);
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  OrderStatistics found(std::move(ranks));
  while (!found.find(n, values)) values.look(shares, reach *= 16);
  s.median = found.median;
  s.mad = found.mad;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto below = static_cast<std::size_t>(positions[i]);
    s.percentiles[i] =
        between(found.at(below), found.at(std::min(below + 1, n - 1)), positions[i] - static_cast<double>(below));
  }
  return s;
}

}  // namespace pyicg
