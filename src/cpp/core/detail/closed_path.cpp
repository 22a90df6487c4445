#include "closed_path.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace pyicg::detail {
namespace {

constexpr double never = -std::numeric_limits<double>::infinity();

struct Interval {
  std::size_t first, last;  // rows in which the path begins and ends
  double bound = never;
  std::size_t end = 0;
  std::vector<std::size_t> path;
};

class Search {
 public:
  Search(std::span<const double> rewards, std::size_t rows, const PathRule& rule)
      : rewards_(rewards), rows_(rows), rays_(rewards.size() / rows), rule_(rule), from_(rewards.size()) {}

  // The best path that begins and ends in an interval; it need not end where it began.
  Interval best(std::size_t first, std::size_t last) {
    before_.assign(rows_, never);
    for (std::size_t i = first; i <= last; ++i) before_[i] = rewards_[i];
    after_.resize(rows_);
    for (std::size_t k = 1; k <= rays_; ++k) {
      const bool closing = k == rays_;
      for (std::size_t i = 0; i < rows_; ++i) {
        std::size_t best = i;
        double most = never;
        const std::size_t low = i > rule_.max_step ? i - rule_.max_step : 0;
        const std::size_t high = std::min(i + rule_.max_step, rows_ - 1);
        for (std::size_t j = low; j <= high; ++j) {
          const double value = before_[j] - rule_.step_cost * static_cast<double>(i > j ? i - j : j - i);
          // Of equals the nearer one, so that a flat table gives a circle.
          if (value > most || (value == most && distance(i, j) < distance(i, best))) {
            most = value;
            best = j;
          }
        }
        after_[i] = most + (closing ? 0.0 : rewards_[k * rows_ + i]);
        from_[(k - 1) * rows_ + i] = static_cast<std::uint32_t>(best);
      }
      std::swap(before_, after_);
    }
    Interval found{first, last, never, first, {}};
    for (std::size_t i = first; i <= last; ++i) {
      if (before_[i] > found.bound) {
        found.bound = before_[i];
        found.end = i;
      }
    }
    if (found.bound == never) return found;
    found.path.resize(rays_);
    std::size_t row = found.end;
    for (std::size_t k = rays_; k-- > 0;) found.path[k] = row = from_[k * rows_ + row];
    return found;
  }

 private:
  static std::size_t distance(std::size_t a, std::size_t b) { return a > b ? a - b : b - a; }

  std::span<const double> rewards_;
  std::size_t rows_, rays_;
  PathRule rule_;
  std::vector<std::uint32_t> from_;
  std::vector<double> before_, after_;
};

}  // namespace

std::vector<std::size_t> closed_path(std::span<const double> rewards, std::size_t rows, const PathRule& rule) {
  Search search(rewards, rows, rule);
  std::vector<Interval> open;
  open.push_back(search.best(0, rows - 1));
  while (true) {
    const auto top = std::max_element(open.begin(), open.end(), [](const auto& a, const auto& b) {
      return a.bound < b.bound || (a.bound == b.bound && a.first > b.first);
    });
    const Interval interval = std::move(*top);
    open.erase(top);
    const std::size_t start = interval.path.front();
    if (start == interval.end) return interval.path;
    const std::size_t middle = (std::min(start, interval.end) + std::max(start, interval.end)) / 2;
    for (Interval half : {search.best(interval.first, middle), search.best(middle + 1, interval.last)}) {
      if (!half.path.empty()) open.push_back(std::move(half));
    }
  }
}

}  // namespace pyicg::detail
