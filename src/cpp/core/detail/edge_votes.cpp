#include "edge_votes.hpp"

#include <algorithm>
#include <cmath>

#include "../../kernels/gaussian.hpp"
#include "marked_pixels.hpp"

namespace pyicg::detail {
namespace {

float length_squared(const Gradient& g) { return g.y * g.y + g.x * g.x; }

// The neighbours up and down the gradient, as offsets of rows and columns; -1 goes around.
struct Step {
  std::size_t dy, dx;
};
Step along(float gy, float gx) {
  constexpr float tan_22_5 = 0.41421356F;
  const float ay = std::fabs(gy);
  const float ax = std::fabs(gx);
  constexpr auto back = ~std::size_t{0};
  const std::size_t sy = gy > 0 ? 1 : back;
  const std::size_t sx = gx > 0 ? 1 : back;
  return {ay < tan_22_5 * ax ? 0 : sy, ax < tan_22_5 * ay ? 0 : sx};
}

void set_places(VoteRange range, VoteBuffers& buffers) {
  const auto steps = static_cast<std::size_t>(std::max(0.0, range.farthest - range.nearest));
  buffers.distances.resize(steps + 1);
  buffers.weights.resize(steps + 1);
  buffers.rows.resize(steps + 1);
  buffers.columns.resize(steps + 1);
  for (std::size_t k = 0; k <= steps; ++k) {
    const double d = range.nearest + static_cast<double>(k);
    buffers.distances[k] = d;
    buffers.weights[k] = static_cast<float>(1 / d);
  }
}

}  // namespace

const std::vector<Peak>& vote_peaks(const EdgeMap& edges, VoteRange range, double least, std::size_t most,
                                    VoteBuffers& buffers) {
  const ImageView<const float>& image = edges.image;
  const std::size_t height = (image.height + 1) / 2;
  const std::size_t width = (image.width + 1) / 2;
  buffers.votes.assign(height * width, 0.0F);
  const auto squared = static_cast<float>(edges.threshold * edges.threshold);
  set_places(range, buffers);
  bool any = false;
  const auto vote = [&](std::size_t y, std::size_t x) {
    const Gradient g = gradient_at(image, y, x);
    const float length = length_squared(g);
    if (!(length > squared)) return;
    const Step s = along(g.y, g.x);
    if (length_squared(gradient_at(image, y + s.dy, x + s.dx)) > length) return;
    if (length_squared(gradient_at(image, y - s.dy, x - s.dx)) > length) return;
    any = true;
    const double norm = 1 / std::sqrt(static_cast<double>(length));
    const double uy = static_cast<double>(g.y) * norm;
    const double ux = static_cast<double>(g.x) * norm;
    const double from_y = static_cast<double>(y) + 0.5;
    const double from_x = static_cast<double>(x) + 0.5;
    const auto inside = [&](double d) {
      const double ty = from_y - d * uy;
      const double tx = from_x - d * ux;
      return ty >= 0 && tx >= 0 && 0.5 * ty < static_cast<double>(height) && 0.5 * tx < static_cast<double>(width);
    };
    // A straight line that starts inside is there up to some place.
    std::size_t n = buffers.distances.size();
    if (!inside(buffers.distances.front())) return;
    while (!inside(buffers.distances[n - 1])) --n;
    const double* const d = buffers.distances.data();
    std::int32_t* const rows = buffers.rows.data();
    std::int32_t* const columns = buffers.columns.data();
    for (std::size_t k = 0; k < n; ++k) rows[k] = static_cast<std::int32_t>(0.5 * (from_y - d[k] * uy));
    for (std::size_t k = 0; k < n; ++k) columns[k] = static_cast<std::int32_t>(0.5 * (from_x - d[k] * ux));
    for (std::size_t k = 0; k < n; ++k) {
      buffers.votes[static_cast<std::size_t>(rows[k]) * width + static_cast<std::size_t>(columns[k])] +=
          buffers.weights[k];
    }
  };
  for (std::size_t y = 0; y < image.height; ++y) {
    each_marked(edges.marked.data() + y * image.width, image.width, [&](std::size_t x) { vote(y, x); });
  }
  std::vector<Peak>& all = buffers.all;
  all.clear();
  buffers.peaks.clear();
  if (!any) return buffers.peaks;
  const ImageView<float> votes(buffers.votes.data(), height, width);
  kernels::gaussian(votes, 1.0, votes, buffers.scratch);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const float v = votes(y, x);
      if (static_cast<double>(v) < least) continue;
      bool highest = true;
      for (std::size_t ny = y == 0 ? 0 : y - 1; ny < std::min(y + 2, height) && highest; ++ny) {
        for (std::size_t nx = x == 0 ? 0 : x - 1; nx < std::min(x + 2, width); ++nx) highest &= votes(ny, nx) <= v;
      }
      if (highest)
        all.push_back({2 * static_cast<double>(y) + 0.5, 2 * static_cast<double>(x) + 0.5, static_cast<double>(v)});
    }
  }
  const auto most_first = [&](std::size_t i, std::size_t k) { return all[i].votes > all[k].votes; };
  for (const std::size_t k : buffers.order.sort(all.size(), most_first)) {
    if (buffers.peaks.size() == most) break;
    buffers.peaks.push_back(all[k]);
  }
  return buffers.peaks;
}

}  // namespace pyicg::detail
