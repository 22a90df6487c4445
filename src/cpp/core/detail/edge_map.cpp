#include "edge_map.hpp"

#include <algorithm>
#include <cmath>

#include "../../kernels/edge_rows.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

// The smallest step from `step` on whose grid has the same phase seen from either end.
struct Grid {
  std::size_t first, step;
};
Grid symmetric_grid(std::size_t length, std::size_t step) {
  while (step > 1 && (length - 1) % step % 2 != 0) ++step;
  return {(length - 1) % step / 2, step};
}

}  // namespace

double gradient_noise(ImageView<const float> image, std::vector<float>& scratch) {
  constexpr double most = 40000;  // samples are enough
  const double share = static_cast<double>(image.size()) / most;
  const auto step = static_cast<std::size_t>(std::max(1.0, std::ceil(std::sqrt(share))));
  const Grid rows = symmetric_grid(image.height, step);
  const Grid columns = symmetric_grid(image.width, step);
  scratch.clear();
  for (std::size_t y = rows.first; y < image.height; y += rows.step) {
    for (std::size_t x = columns.first; x < image.width; x += columns.step) {
      const Gradient g = gradient_at(image, y, x);
      const float squared = g.y * g.y + g.x * g.x;
      if (squared > 0) scratch.push_back(squared);
    }
  }
  if (scratch.empty()) return 0;
  // The squared length is exponential with mean 2 sigma^2.
  return std::sqrt(quantile(scratch, 0.25) / (-2 * std::log(0.75)));
}

void mark_edges(ImageView<const float> image, double threshold, EdgeMap& edges) {
  edges.image = image;
  edges.threshold = threshold;
  const std::size_t size = image.size();
  if (edges.marked.size() < size) edges.marked.resize(size);
  // A little less, for what is rounded; what squaring might make nothing of is looked at anyway.
  const double squared = threshold * threshold;
  const float least = squared > 1e-30 ? static_cast<float>(squared * (1 - 1e-6)) : 0.0F;
  const kernels::EdgeKernels& kernels = kernels::edge_kernels();
  for (std::size_t y = 0; y < image.height; ++y) {
    std::uint8_t* marked = edges.marked.data() + y * image.width;
    if (y == 0 || y + 1 == image.height || image.width < 3) {
      std::fill_n(marked, image.width, std::uint8_t{0});
      continue;
    }
    marked[0] = marked[image.width - 1] = 0;
    kernels.mark(image.row(y - 1), image.row(y), image.row(y + 1), image.width, least, marked);
  }
}

}  // namespace pyicg::detail
