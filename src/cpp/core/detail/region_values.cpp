#include "region_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>

#include "nth_value.hpp"
#include "parallel.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

using kernels::Window;

// Of n values n^(2/3) are looked at first: the more, the fewer are kept later. So few are all kept.
constexpr std::size_t few = 16384;
constexpr std::size_t smallest_sample = 512;
// Longer rows are read piece by piece.
constexpr std::size_t most_columns = 4096;
// So many ranks are found sooner in sorted values.
constexpr std::size_t many = 32;
// Places in the intervals of the sample that no regular pattern of the frame keeps step with.
constexpr double golden = 0.6180339887498949;

constexpr float endless = std::numeric_limits<float>::infinity();

void add(double v, kernels::Sum& sum) {
  const double next = sum.total + v;
  const double taken = next - sum.total;
  sum.lost += (sum.total - (next - taken)) + (v - taken);
  sum.total = next;
}

void add(const kernels::Sum& part, kernels::Sum& sum) {
  add(part.total, sum);
  sum.lost += part.lost;
}

double distance(float v, double centre) { return std::fabs(static_cast<double>(v) - centre); }

float as_float(double v) {
  constexpr double most = std::numeric_limits<float>::max();
  return v > most ? endless : v < -most ? -endless : static_cast<float>(v);
}

// Where a quantile of all values may be, told by that of a sample: infinite where it does not say.
Window quantile(double share, double reach, std::span<const float> sample, bool sorted = false) {
  const auto n = static_cast<double>(sample.size());
  const double error = reach * std::sqrt(share * (1 - share) * n) + 1;  // of a binomial, and that of rounding
  const double low = std::floor(share * (n - 1) - error);
  const double high = std::ceil(share * (n - 1) + error);
  NthValue<float> nth;
  const auto at = [&](double place) {
    const auto k = static_cast<std::size_t>(place);
    return sorted ? sample[k] : nth(sample, k);
  };
  return {low < 0 ? -endless : at(low), high >= n ? endless : at(high)};
}

}  // namespace

RegionValues::RegionValues(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                           ImageView<const std::uint8_t> region, const Threads& threads)
    : data_(data), mask_(mask), region_(region), threads_(threads), bottom_(data.height), asked_(data.size()) {
  if (region.data != nullptr) {
    asked_ = 0;
    top_ = data.height;
    bottom_ = 0;
    for (std::size_t y = 0; y < data.height; ++y) {
      const std::size_t in_row = kernels::region_kernels().count(region.row(y), region.width);
      if (in_row == 0) continue;
      asked_ += in_row;
      top_ = std::min(top_, y);
      bottom_ = y + 1;
    }
  }
  if (asked_ > 0) take_sample();
}

void RegionValues::take_sample() {
  const auto per_value = static_cast<std::size_t>(std::cbrt(static_cast<double>(asked_)));
  const auto down = static_cast<std::size_t>(std::sqrt(static_cast<double>(per_value)));
  const std::size_t step_y = std::clamp<std::size_t>(down, 1, std::max<std::size_t>((bottom_ - top_) / 64, 1));
  const std::size_t step = per_value / step_y;
  double shift = 0;
  for (std::size_t y = top_; y < bottom_; y += step_y) {
    const float* const values = data_.row(y);
    const std::uint8_t* const mask = mask_.row(y);
    const std::uint8_t* const region = region_.data == nullptr ? nullptr : region_.row(y);
    shift += golden;
    shift -= std::floor(shift);
    for (auto x = static_cast<std::size_t>(shift * static_cast<double>(step)); x < data_.width; x += step) {
      if (region != nullptr && region[x] == 0) continue;
      if ((mask[x] & mask_left_out) == 0 && std::isfinite(values[x])) sample_.push_back(values[x]);
    }
  }
  if (!sample_.empty()) centre_ = NthValue<float>()(sample_, sample_.size() / 2);
  from_ = centre_;
}

void RegionValues::look(std::span<const double> shares, double reach) {
  if (asked_ == 0) return;
  choose_windows(shares, reach);
  read_rows();
  // Squared differences from a value far from the mean leave nothing of those from the mean: a sample that missed most
  // of the region, or none at all.
  constexpr double far = 100;
  if (counts_.n == 0 || static_cast<double>(counts_.n) * shift() * shift() <= far * squares()) return;
  from_ = as_float(sum_.total / static_cast<double>(counts_.n));
  read_rows();
}

// From the value that differences are taken from to the mean.
double RegionValues::shift() const {
  const auto n = static_cast<double>(counts_.n);
  return (std::fma(-n, static_cast<double>(from_), sum_.total) + sum_.lost) / n;
}

void RegionValues::choose_windows(std::span<const double> shares, double reach) {
  windows_ = {{-endless, endless}};
  nearer_ = farther_ = windows_.front();
  if (asked_ <= few || sample_.size() < smallest_sample) return;
  const bool sorted = shares.size() > kernels::most_windows;
  if (sorted) std::ranges::sort(sample_);
  const Window median = quantile(0.5, reach, sample_, sorted);
  windows_ = {median};
  for (const double share : shares) windows_.push_back(quantile(share, reach, sample_, sorted));
  // The median distance and the median are each off by their own: half of the one is enough beside all of the other.
  std::vector<float> distances(sample_.size());
  const auto centre = static_cast<double>(centre_);
  std::ranges::transform(sample_, distances.begin(), [&](float v) { return as_float(distance(v, centre)); });
  const Window found = quantile(0.5, reach, distances);
  const double below = (centre - static_cast<double>(median.low)) / 2;
  const double above = (static_cast<double>(median.high) - centre) / 2;
  const double near = std::max(static_cast<double>(found.low), 0.0);
  const auto far = static_cast<double>(found.high);
  nearer_ = {as_float(centre - far - below), as_float(centre - near + above)};
  farther_ = {as_float(centre + near - below), as_float(centre + far + above)};
  windows_.insert(windows_.end(), {nearer_, farther_});
  join_windows();
}

void RegionValues::join_windows() {
  std::ranges::sort(windows_, {}, &Window::low);
  std::vector<Window> apart;
  for (const Window& window : windows_) {
    if (!apart.empty() && window.low <= apart.back().high) {
      apart.back().high = std::max(apart.back().high, window.high);
    } else {
      apart.push_back(window);
    }
  }
  while (apart.size() > kernels::most_windows) {  // the two that are nearest become one
    std::size_t nearest = 1;
    const auto gap = [&](std::size_t w) {
      return static_cast<double>(apart[w].low) - static_cast<double>(apart[w - 1].high);
    };
    for (std::size_t w = 2; w < apart.size(); ++w) nearest = gap(w) < gap(nearest) ? w : nearest;
    apart[nearest - 1].high = apart[nearest].high;
    apart.erase(apart.begin() + static_cast<std::ptrdiff_t>(nearest));
  }
  windows_ = std::move(apart);
}

void RegionValues::read_rows() {
  const kernels::RegionKernels& kernel = kernels::region_kernels();
  const std::size_t n_windows = windows_.size();
  const std::size_t pieces = (data_.width + most_columns - 1) / most_columns;
  sums_.resize((bottom_ - top_) * pieces);
  counts_ = {};
  held_.assign(n_windows, {});
  std::mutex mutex;
  parallel_ranges(sums_.size(), threads_, [&](std::size_t first, std::size_t last) {
    kernels::RegionCounts counts;
    std::array<kernels::WindowCounts, kernels::most_windows> in_windows{};
    std::vector<Held> held(n_windows);
    std::vector<float> loose(std::min(data_.width, most_columns) + 1);
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t y = top_ + i / pieces;
      const std::size_t x = i % pieces * most_columns;
      const std::size_t width = std::min(data_.width - x, most_columns);
      for (std::size_t w = 0; w < n_windows; ++w) {
        const std::size_t room = in_windows[w].inside + width + 4;
        if (held[w].values.size() < room) held[w].values.resize(2 * room);
        in_windows[w].kept = held[w].values.data();
      }
      const std::uint8_t* const region = region_.data == nullptr ? nullptr : region_.row(y) + x;
      const kernels::RegionRow row{data_.row(y) + x, mask_.row(y) + x, region, width, mask_left_out, mask_saturated};
      sums_[i] = kernel.take(row, from_, windows_.data(), n_windows, &counts, in_windows.data(), loose.data());
    }
    const std::scoped_lock lock(mutex);
    counts_.asked += counts.asked;
    counts_.saturated += counts.saturated;
    counts_.n += counts.n;
    counts_.least = std::min(counts_.least, counts.least);
    counts_.most = std::max(counts_.most, counts.most);
    for (std::size_t w = 0; w < n_windows; ++w) {
      Held& all = held_[w];
      all.below += in_windows[w].below;
      held[w].values.resize(in_windows[w].inside);
      if (all.values.empty()) {
        all.values.swap(held[w].values);
      } else {
        all.values.insert(all.values.end(), held[w].values.begin(), held[w].values.end());
      }
    }
  });
  sum_ = {};
  squares_ = {};
  for (const kernels::RowSums& sums : sums_) {
    add(sums.values, sum_);
    add(sums.squares, squares_);
  }
}

std::size_t RegionValues::window_of(float v) const {
  std::size_t w = 0;
  while (w + 1 < windows_.size() && v > windows_[w].high) ++w;
  return w;
}

double RegionValues::squares() const {
  const double moved = static_cast<double>(counts_.n) * shift() * shift();
  return std::max(squares_.total + squares_.lost - moved, 0.0);
}

bool RegionValues::ranked(std::span<const std::size_t> ranks, std::span<double> found) {
  const bool sorted = ranks.size() > many;
  if (sorted) {
    for (Held& held : held_) std::ranges::sort(held.values);
  }
  NthValue<float> nth;
  std::size_t w = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    while (ranks[i] >= held_[w].below + held_[w].values.size()) {
      if (++w == held_.size()) return false;
    }
    if (ranks[i] < held_[w].below) return false;
    const auto [low, high] = windows_[w];
    if (low == high) {
      found[i] = static_cast<double>(low);
      continue;
    }
    const std::span<const float> values = held_[w].values;
    const std::size_t rank = ranks[i] - held_[w].below;
    found[i] = static_cast<double>(sorted ? values[rank] : nth(values, rank));
  }
  return true;
}

std::optional<std::pair<double, double>> RegionValues::middle_distances(double median) const {
  const std::size_t a = window_of(nearer_.low);
  const std::size_t b = window_of(farther_.high);
  std::vector<double> distances(held_[a].values.size() + (a < b ? held_[b].values.size() : 0));
  const auto to_median = [&](float v) { return distance(v, median); };
  const auto half = std::ranges::transform(held_[a].values, distances.begin(), to_median).out;
  std::size_t nearer = 0;  // values between both windows are nearer than `inside`
  double inside = 0;
  if (a < b) {
    std::ranges::transform(held_[b].values, half, to_median);
    nearer = held_[b].below - held_[a].below - held_[a].values.size();
    inside = std::max(median - static_cast<double>(windows_[a].high), static_cast<double>(windows_[b].low) - median);
  }
  const double outside =
      std::min(median - static_cast<double>(windows_[a].low), static_cast<double>(windows_[b].high) - median);
  const std::size_t lower = (counts_.n - 1) / 2;
  if (lower < nearer || counts_.n / 2 - nearer >= distances.size()) return {};
  NthValue<double> nth;
  const double first = nth(distances, lower - nearer);
  const double last = counts_.n % 2 == 0 ? nth(distances, lower - nearer + 1) : first;
  if (first < inside || last > outside) return {};
  return std::pair{first, last};
}

}  // namespace pyicg::detail
