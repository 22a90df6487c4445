#include "edge_votes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "../../kernels/edge_rows.hpp"
#include "../../kernels/gaussian.hpp"
#include "../../kernels/pixel_bits.hpp"

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

// How many distances there are.
std::size_t set_places(VoteRange range, VoteBuffers& buffers) {
  const auto n = static_cast<std::size_t>(std::max(0.0, range.farthest - range.nearest)) + 1;
  constexpr std::size_t at_once = kernels::votes_at_once;
  buffers.distances.resize((n + at_once - 1) / at_once * at_once);
  buffers.weights.resize(n);
  for (std::size_t k = 0; k < buffers.distances.size(); ++k) {
    buffers.distances[k] = range.nearest + static_cast<double>(k);
    if (k < n) buffers.weights[k] = static_cast<float>(1 / buffers.distances[k]);
  }
  return n;
}

}  // namespace

const std::vector<Peak>& vote_peaks(const EdgeMap& edges, VoteRange range, double least, std::size_t most,
                                    VoteBuffers& buffers) {
  const ImageView<const float>& image = edges.image;
  const std::size_t height = (image.height + 1) / 2;
  const std::size_t width = (image.width + 1) / 2;
  buffers.votes.assign(height * width, 0.0F);
  const auto squared = static_cast<float>(edges.threshold * edges.threshold);
  const std::size_t places = set_places(range, buffers);
  const kernels::EdgeKernels& kernels = kernels::edge_kernels();
  bool any = false;
  const auto vote = [&](std::size_t y, std::size_t x) {
    const Gradient g = gradient_at(image, y, x);
    const float length = length_squared(g);
    if (!(length > squared)) return;
    const Step s = along(g.y, g.x);
    const auto is_steeper = [&](std::size_t ny, std::size_t nx) {
      // What is not marked is less steep than what counts.
      return edges.marked[ny * image.width + nx] != 0 && length_squared(gradient_at(image, ny, nx)) > length;
    };
    if (is_steeper(y + s.dy, x + s.dx) || is_steeper(y - s.dy, x - s.dx)) return;
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
    std::size_t n = places;
    if (!inside(buffers.distances.front())) return;
    while (!inside(buffers.distances[n - 1])) --n;
    kernels.vote({from_y, from_x, -uy, -ux}, buffers.distances.data(), buffers.weights.data(), n, width,
                 buffers.votes.data());
  };
  // Few pixels are marked.
  buffers.words.resize(kernels::words_of(image.width));
  for (std::size_t y = 0; y < image.height; ++y) {
    kernels::bit_kernels().equal(edges.marked.data() + y * image.width, 1, image.width, buffers.words.data());
    for (std::size_t w = 0; w < buffers.words.size(); ++w) {
      for (std::uint64_t bits = buffers.words[w]; bits != 0; bits &= bits - 1) {
        vote(y, 64 * w + static_cast<std::size_t>(std::countr_zero(bits)));
      }
    }
  }
  std::vector<Peak>& all = buffers.all;
  all.clear();
  buffers.peaks.clear();
  if (!any) return buffers.peaks;
  const ImageView<float> votes(buffers.votes.data(), height, width);
  kernels::gaussian(votes, 1.0, votes, buffers.scratch);
  for (std::size_t y = 0; y < height; ++y) {
    if (static_cast<double>(kernels::bit_kernels().largest(votes.row(y), width)) < least) continue;
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
