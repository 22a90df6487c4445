#include "runs.hpp"

namespace pyicg::detail {

void RunComponents::begin(std::size_t height, std::size_t width, Connectivity connectivity) {
  height_ = height;
  width_ = width;
  reach_ = connectivity == Connectivity::eight ? 1 : 0;
  above_ = 0;
  words_.resize(kernels::words_of(width));
  runs_.clear();
  parent_.clear();
  components_.clear();
}

// The lower index stays root: components then follow the order of first pixels.
std::uint32_t RunComponents::root(std::uint32_t run) {
  while (parent_[run] != run) run = parent_[run] = parent_[parent_[run]];
  return run;
}

void RunComponents::add_row(std::size_t y) {
  const std::size_t here = runs_.size();
  const auto row = static_cast<std::uint32_t>(y);
  bool open = false;  // a run that goes on in the next word
  for (std::size_t w = 0; w < words_.size(); ++w) {
    // Where runs begin and end: bits that differ from the one before.
    std::uint64_t changes = words_[w] ^ (words_[w] << 1 | (open ? 1U : 0U));
    const auto base = static_cast<std::uint32_t>(64 * w);
    for (; changes != 0; changes &= changes - 1) {
      const auto x = base + static_cast<std::uint32_t>(std::countr_zero(changes));
      if (open) {
        runs_.back().last = x - 1;
      } else {
        runs_.push_back({row, x, x, 0});
        parent_.push_back(static_cast<std::uint32_t>(parent_.size()));
      }
      open = !open;
    }
  }
  if (open) runs_.back().last = static_cast<std::uint32_t>(width_ - 1);

  std::size_t a = above_;
  for (std::size_t b = here; b < runs_.size(); ++b) {
    while (a < here && runs_[a].last + reach_ < runs_[b].first) ++a;
    for (std::size_t t = a; t < here && runs_[t].first <= runs_[b].last + reach_; ++t) {
      const std::uint32_t one = root(static_cast<std::uint32_t>(t));
      const std::uint32_t other = root(static_cast<std::uint32_t>(b));
      parent_[std::max(one, other)] = std::min(one, other);
    }
  }
  above_ = here;
}

void RunComponents::finish() {
  for (std::uint32_t i = 0; i < runs_.size(); ++i) {
    Run& run = runs_[i];
    const std::uint32_t first = root(i);
    const std::size_t length = run.last - run.first + 1;
    if (first == i) {
      run.component = static_cast<std::uint32_t>(components_.size());
      components_.push_back({0, 0, 0, run.y, run.y, run.first, run.last, false});
    } else {
      run.component = runs_[first].component;
    }
    Component& c = components_[run.component];
    c.area += length;
    c.sum_y += static_cast<double>(run.y) * static_cast<double>(length);
    c.sum_x += 0.5 * static_cast<double>(run.first + run.last) * static_cast<double>(length);
    c.y1 = run.y;
    c.x0 = std::min<std::size_t>(c.x0, run.first);
    c.x1 = std::max<std::size_t>(c.x1, run.last);
    c.touches_border |= run.y == 0 || run.y + 1 == height_ || run.first == 0 || run.last + 1 == width_;
  }
}

void RunComponents::sort_by_component() {
  // Counted: place[k] is where the next run of component k goes.
  std::vector<std::uint32_t>& place = parent_;
  place.assign(components_.size() + 1, 0);
  for (const Run& run : runs_) ++place[run.component + 1];
  for (std::size_t k = 1; k < place.size(); ++k) place[k] += place[k - 1];
  sorted_.resize(runs_.size());
  for (const Run& run : runs_) sorted_[place[run.component]++] = run;
  runs_.swap(sorted_);
}

}  // namespace pyicg::detail
