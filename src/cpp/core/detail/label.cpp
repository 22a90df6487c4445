#include "label.hpp"

#include <algorithm>
#include <cstddef>

namespace pyicg::detail {
namespace {

struct Run {
  std::size_t y, first, last;  // columns inclusive
};

class Forest {
 public:
  void add() { parent_.push_back(parent_.size()); }
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  // The lower index stays root: labels then follow the order of first pixels.
  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

void add_run(Component& c, const Run& run, std::size_t height, std::size_t width) {
  const std::size_t length = run.last - run.first + 1;
  if (c.area == 0) c = {0, 0, 0, run.y, run.y, run.first, run.last, false};
  c.area += length;
  c.sum_y += static_cast<double>(run.y) * static_cast<double>(length);
  c.sum_x += 0.5 * static_cast<double>(run.first + run.last) * static_cast<double>(length);
  c.y1 = run.y;
  c.x0 = std::min(c.x0, run.first);
  c.x1 = std::max(c.x1, run.last);
  c.touches_border |= run.y == 0 || run.y + 1 == height || run.first == 0 || run.last + 1 == width;
}

}  // namespace

std::vector<Component> label_components(ImageView<const std::uint8_t> pixels, std::uint8_t value,
                                        Connectivity connectivity, ImageView<std::int32_t> labels) {
  const std::size_t reach = connectivity == Connectivity::eight ? 1 : 0;
  std::vector<Run> runs;
  Forest forest;
  std::size_t above = 0;  // first run of the row above
  for (std::size_t y = 0; y < pixels.height; ++y) {
    const std::uint8_t* row = pixels.row(y);
    const std::size_t here = runs.size();
    for (std::size_t x = 0; x < pixels.width;) {
      if (row[x] != value) {
        ++x;
        continue;
      }
      const std::size_t first = x;
      while (x < pixels.width && row[x] == value) ++x;
      runs.push_back({y, first, x - 1});
      forest.add();
    }
    std::size_t a = above;
    for (std::size_t b = here; b < runs.size(); ++b) {
      while (a < here && runs[a].last + reach < runs[b].first) ++a;
      for (std::size_t t = a; t < here && runs[t].first <= runs[b].last + reach; ++t) forest.join(t, b);
    }
    above = here;
  }
  std::vector<std::int32_t> label_of(runs.size(), 0);
  std::vector<Component> components;
  for (std::size_t y = 0; y < labels.height; ++y) std::fill_n(labels.row(y), labels.width, 0);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::size_t root = forest.root(i);
    if (root == i) {
      components.emplace_back();
      label_of[i] = static_cast<std::int32_t>(components.size());
    }
    const std::int32_t label = label_of[root];
    add_run(components[static_cast<std::size_t>(label - 1)], runs[i], pixels.height, pixels.width);
    std::fill_n(labels.row(runs[i].y) + runs[i].first, runs[i].last - runs[i].first + 1, label);
  }
  return components;
}

}  // namespace pyicg::detail
