#include "closed_path.hpp"

#include <algorithm>
#include <limits>

#include "../../kernels/path_rows.hpp"

namespace pyicg::detail {
namespace {

constexpr double never = -std::numeric_limits<double>::infinity();

// Whether an interval is split before another.
bool before(const PathInterval& a, const PathInterval& b) {
  return a.bound > b.bound || (a.bound == b.bound && a.first < b.first);
}

class Search {
 public:
  Search(std::span<const double> rewards, std::size_t rows, const PathRule& rule, PathBuffers& buffers)
      : rewards_(rewards.data()),
        rows_(rows),
        rays_(rewards.size() / rows),
        step_(std::min(rule.max_step, rows - 1)),
        margin_(2 * step_),
        kernels_(kernels::path_kernels()),
        buffers_(buffers) {
    buffers.costs.resize(step_ + 1);
    for (std::size_t d = 0; d <= step_; ++d) buffers.costs[d] = rule.step_cost * static_cast<double>(d);
    buffers.sums.resize((rays_ + 1) * (rows_ + 2 * margin_));
    buffers.zeros.assign(rows_, 0.0);
  }

  // The best path that begins and ends in an interval; it need not end where it began.
  PathInterval best(std::size_t first, std::size_t last) {
    std::copy(rewards_ + first, rewards_ + last + 1, sums(0) + first);
    fence(0, first, last);
    for (std::size_t k = 1; k <= rays_; ++k) {
      // No more than what can be reached from the interval, and reaches it again.
      const std::size_t far = std::min(k, rays_ - k) * step_;
      const std::size_t low = first - std::min(first, far);
      const std::size_t high = std::min(last + far, rows_ - 1);
      const double* gain = k == rays_ ? buffers_.zeros.data() : rewards_ + k * rows_;
      kernels_.step(sums(k - 1) + low, high - low + 1, buffers_.costs.data(), step_, gain + low, sums(k) + low);
      fence(k, low, high);
    }
    PathInterval found{first, last, never, first, first};
    for (std::size_t i = first; i <= last; ++i) {
      if (sums(rays_)[i] > found.bound) {
        found.bound = sums(rays_)[i];
        found.end = i;
      }
    }
    found.start = found.end;
    for (std::size_t k = rays_; k-- > 0;) found.start = origin(k, found.start);
    return found;
  }

  // The path that `best` has just found.
  void follow(const PathInterval& found, std::vector<std::size_t>& path) const {
    path.resize(rays_);
    std::size_t row = found.end;
    for (std::size_t k = rays_; k-- > 0;) path[k] = row = origin(k, row);
  }

 private:
  [[nodiscard]] double* sums(std::size_t k) const { return buffers_.sums.data() + k * (rows_ + 2 * margin_) + margin_; }

  // Where nothing leads to, as far as the next ray's rows look.
  void fence(std::size_t k, std::size_t low, std::size_t high) const {
    std::fill_n(sums(k) + low - margin_, margin_, never);
    std::fill_n(sums(k) + high + 1, margin_, never);
  }

  // The row of ray k from which the path comes to a row of the next one. Of equals the nearer one, so that a flat
  // table gives a circle; of equally near ones the lower.
  [[nodiscard]] std::size_t origin(std::size_t k, std::size_t row) const {
    const double* from = sums(k) + row;
    std::size_t best = row;
    double most = *from;
    for (std::size_t d = 1; d <= step_; ++d) {
      if (*(from - d) - buffers_.costs[d] > most) {
        most = *(from - d) - buffers_.costs[d];
        best = row - d;
      }
      if (from[d] - buffers_.costs[d] > most) {
        most = from[d] - buffers_.costs[d];
        best = row + d;
      }
    }
    return best;
  }

  const double* rewards_;
  std::size_t rows_, rays_, step_, margin_;
  const kernels::PathKernels& kernels_;
  PathBuffers& buffers_;
};

}  // namespace

const std::vector<std::size_t>& closed_path(std::span<const double> rewards, std::size_t rows, const PathRule& rule,
                                            PathBuffers& buffers) {
  Search search(rewards, rows, rule, buffers);
  buffers.path.clear();
  PathInterval closed{0, 0, never, 0, 0};
  std::vector<PathInterval>& open = buffers.open;
  open.clear();
  const auto look = [&](std::size_t first, std::size_t last) {
    const PathInterval found = search.best(first, last);
    if (found.bound == never || (closed.bound > never && before(closed, found))) return;
    if (found.start != found.end) {
      open.push_back(found);
      std::push_heap(open.begin(), open.end(), [](const auto& a, const auto& b) { return before(b, a); });
      return;
    }
    closed = found;
    search.follow(closed, buffers.path);
  };
  look(0, rows - 1);
  while (!open.empty()) {
    std::pop_heap(open.begin(), open.end(), [](const auto& a, const auto& b) { return before(b, a); });
    const PathInterval top = open.back();
    open.pop_back();
    if (closed.bound > never && before(closed, top)) break;
    const std::size_t middle = (top.start + top.end) / 2;
    look(top.first, middle);
    look(middle + 1, top.last);
  }
  return buffers.path;
}

}  // namespace pyicg::detail
