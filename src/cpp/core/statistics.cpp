#include "pyicg/statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "detail/number.hpp"
#include "detail/parallel.hpp"
#include "detail/radix_select.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

// The pixels of a frame that are asked for, and those of them that count.
class Pixels {
 public:
  Pixels(ImageView<const float> data, ImageView<const std::uint8_t> mask, ImageView<const std::uint8_t> region)
      : data_(data), mask_(mask), region_(region) {}

  [[nodiscard]] std::size_t height() const { return data_.height; }

  // The values of a row that count: the row itself where all do, else copied together in `buffer`.
  std::span<const float> row(std::size_t y, std::vector<float>& buffer) const {
    const float* data = data_.row(y);
    const std::uint8_t* mask = mask_.row(y);
    const std::size_t width = data_.width;
    if (region_.data == nullptr) {
      unsigned lost = 0;
      for (std::size_t x = 0; x < width; ++x) lost |= counts(mask[x], data[x]) ^ 1U;
      if (lost == 0) return {data, width};
    }
    buffer.resize(width);
    std::size_t n = 0;
    for (std::size_t x = 0; x < width; ++x) {  // without a branch: a mask may be noise
      buffer[n] = data[x];
      n += inside(y, x) & counts(mask[x], data[x]);
    }
    return {buffer.data(), n};
  }

  // Of a row: how many pixels are asked for, and how many of those are saturated.
  void count_row(std::size_t y, std::size_t& n, std::size_t& saturated) const {
    const std::uint8_t* mask = mask_.row(y);
    for (std::size_t x = 0; x < data_.width; ++x) {
      n += inside(y, x);
      saturated += inside(y, x) & (mask[x] & mask_saturated);
    }
  }

 private:
  [[nodiscard]] unsigned inside(std::size_t y, std::size_t x) const {
    return region_.data == nullptr || region_.row(y)[x] != 0 ? 1 : 0;
  }
  static unsigned counts(std::uint8_t bits, float v) {
    constexpr std::uint32_t exponent = 0x7F800000;  // all ones: infinite or NaN
    const unsigned finite = (std::bit_cast<std::uint32_t>(v) & exponent) != exponent ? 1 : 0;
    return finite & ((bits & mask_left_out) == 0 ? 1U : 0U);
  }

  ImageView<const float> data_;
  ImageView<const std::uint8_t> mask_;
  ImageView<const std::uint8_t> region_;
};

// A sum with what its rounded additions lost kept beside it (Knuth's two-sum).
struct Sum {
  double total = 0;
  double lost = 0;
  void add(double v) {
    const double next = total + v;
    const double taken = next - total;
    lost += (total - (next - taken)) + (v - taken);
    total = next;
  }
  void add(const Sum& other) {
    add(other.total);
    lost += other.lost;
  }
  [[nodiscard]] double value() const { return total + lost; }
};

// Sum of f(value) over a row, in four lanes whose order never changes.
template <class F>
Sum row_sum(std::span<const float> values, const F& f) {
  std::array<Sum, 4> lanes;
  std::size_t x = 0;
  for (; x + 4 <= values.size(); x += 4) {
    for (std::size_t k = 0; k < 4; ++k) lanes[k].add(f(values[x + k]));
  }
  for (; x < values.size(); ++x) lanes[0].add(f(values[x]));
  Sum sum;
  for (const Sum& lane : lanes) sum.add(lane);
  return sum;
}

// What is known of a row, and of all rows added in order.
struct Account {
  std::size_t asked = 0;
  std::size_t saturated = 0;
  std::size_t n = 0;
  float least = std::numeric_limits<float>::infinity();
  float most = -std::numeric_limits<float>::infinity();
  Sum sum;
};

Account account(const Pixels& pixels, const Threads& threads) {
  std::vector<Account> rows(pixels.height());
  detail::parallel_ranges(rows.size(), threads, [&](std::size_t first, std::size_t last) {
    std::vector<float> buffer;
    for (std::size_t y = first; y < last; ++y) {
      Account& row = rows[y];
      pixels.count_row(y, row.asked, row.saturated);
      const std::span<const float> values = pixels.row(y, buffer);
      row.n = values.size();
      for (const float v : values) {
        row.least = v < row.least ? v : row.least;
        row.most = v > row.most ? v : row.most;
      }
      row.sum = row_sum(values, [](float v) { return static_cast<double>(v); });
    }
  });
  Account all;
  for (const Account& row : rows) {
    all.asked += row.asked;
    all.saturated += row.saturated;
    all.n += row.n;
    all.least = std::min(all.least, row.least);
    all.most = std::max(all.most, row.most);
    all.sum.add(row.sum);
  }
  return all;
}

double sum_of_squares(const Pixels& pixels, double mean, const Threads& threads) {
  std::vector<Sum> rows(pixels.height());
  detail::parallel_ranges(rows.size(), threads, [&](std::size_t first, std::size_t last) {
    std::vector<float> buffer;
    for (std::size_t y = first; y < last; ++y) {
      rows[y] = row_sum(pixels.row(y, buffer), [mean](float v) {
        const double d = static_cast<double>(v) - mean;
        return d * d;
      });
    }
  });
  Sum sum;
  for (const Sum& row : rows) sum.add(row);
  return sum.value();
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
std::vector<Key> order_statistics(const Pixels& pixels, std::size_t n, std::vector<std::size_t> ranks,
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
  const Pixels pixels(data, mask, region);
  const Account all = account(pixels, threads);
  const std::size_t n = all.n;
  RegionStatistics s;
  s.n = n;
  s.n_left_out = all.asked - n;
  s.n_saturated = all.saturated;
  s.percentiles.assign(percentages.size(), nan);
  if (n == 0) return s;
  s.minimum = static_cast<double>(all.least) + 0.0;  // zero has one sign
  s.maximum = static_cast<double>(all.most) + 0.0;
  s.sum = all.sum.value();
  s.mean = s.sum / static_cast<double>(n);
  if (n > 1) s.sd = std::sqrt(sum_of_squares(pixels, s.mean, threads) / static_cast<double>(n - 1));

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
  const std::vector<std::uint32_t> keys = order_statistics<std::uint32_t>(pixels, n, ranks, threads, key_of);
  const auto ranked = [&](std::size_t rank) {
    return value_of(keys[static_cast<std::size_t>(std::lower_bound(ranks.begin(), ranks.end(), rank) - ranks.begin())]);
  };
  s.median = middle(ranked((n - 1) / 2), ranked(n / 2));
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto below = static_cast<std::size_t>(positions[i]);
    s.percentiles[i] =
        between(ranked(below), ranked(std::min(below + 1, n - 1)), positions[i] - static_cast<double>(below));
  }

  const std::vector<std::uint64_t> middle_two = order_statistics<std::uint64_t>(
      pixels, n, {(n - 1) / 2, n / 2}, threads,
      [median = s.median](float v) { return distance_key(std::fabs(static_cast<double>(v) - median)); });
  s.mad = middle(distance_of(middle_two.front()), distance_of(middle_two.back()));
  return s;
}

}  // namespace pyicg
