#include "edge_votes.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "../../kernels/gaussian.hpp"
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

// The neighbours up and down the gradient, as offsets of rows and columns.
struct Step {
  std::ptrdiff_t dy, dx;
};
Step along(float gy, float gx) {
  constexpr float tan_22_5 = 0.41421356F;
  const float ay = std::fabs(gy);
  const float ax = std::fabs(gx);
  const std::ptrdiff_t sy = gy > 0 ? 1 : -1;
  const std::ptrdiff_t sx = gx > 0 ? 1 : -1;
  return {ay < tan_22_5 * ax ? 0 : sy, ax < tan_22_5 * ay ? 0 : sx};
}

}  // namespace

void gradient(ImageView<const float> image, Gradient& g) {
  g.height = image.height;
  g.width = image.width;
  g.gy.resize(image.size());
  g.gx.resize(image.size());
  const std::size_t w = image.width;
  std::fill(g.gy.begin(), g.gy.end(), 0.0F);
  std::fill(g.gx.begin(), g.gx.end(), 0.0F);
  if (image.height < 3 || w < 3) return;
  for (std::size_t y = 1; y + 1 < image.height; ++y) {
    const float* a = image.row(y - 1);
    const float* b = image.row(y);
    const float* c = image.row(y + 1);
    float* gy = g.gy.data() + y * w;
    float* gx = g.gx.data() + y * w;
    for (std::size_t x = 1; x + 1 < w; ++x) {
      const float down = (c[x - 1] - a[x - 1]) + (c[x + 1] - a[x + 1]) + 2 * (c[x] - a[x]);
      const float across = (a[x + 1] - a[x - 1]) + (c[x + 1] - c[x - 1]) + 2 * (b[x + 1] - b[x - 1]);
      gy[x] = 0.125F * down;
      gx[x] = 0.125F * across;
    }
  }
}

double gradient_noise(const Gradient& g, std::vector<float>& scratch) {
  constexpr double most = 40000;  // samples are enough
  const double share = static_cast<double>(g.gy.size()) / most;
  const auto step = static_cast<std::size_t>(std::max(1.0, std::ceil(std::sqrt(share))));
  const Grid rows = symmetric_grid(g.height, step);
  const Grid columns = symmetric_grid(g.width, step);
  scratch.clear();
  for (std::size_t y = rows.first; y < g.height; y += rows.step) {
    for (std::size_t x = columns.first; x < g.width; x += columns.step) {
      const float gy = g.gy[y * g.width + x];
      const float gx = g.gx[y * g.width + x];
      const float squared = gy * gy + gx * gx;
      if (squared > 0) scratch.push_back(squared);
    }
  }
  if (scratch.empty()) return 0;
  // The squared length is exponential with mean 2 sigma^2.
  return std::sqrt(quantile(scratch, 0.25) / (-2 * std::log(0.75)));
}

std::vector<Peak> vote_peaks(const Gradient& g, double threshold, VoteRange range, double least, std::size_t most,
                             VoteBuffers& buffers) {
  const std::size_t height = (g.height + 1) / 2;
  const std::size_t width = (g.width + 1) / 2;
  buffers.votes.assign(height * width, 0.0F);
  const auto squared = static_cast<float>(threshold * threshold);
  const auto w = static_cast<std::ptrdiff_t>(g.width);
  const auto steps = static_cast<std::size_t>(std::max(0.0, range.farthest - range.nearest));
  bool any = false;
  for (std::size_t y = 1; y + 1 < g.height; ++y) {
    for (std::size_t x = 1; x + 1 < g.width; ++x) {
      const auto i = static_cast<std::ptrdiff_t>(y * g.width + x);
      const float* gy = g.gy.data() + i;
      const float* gx = g.gx.data() + i;
      const float length = *gy * *gy + *gx * *gx;
      if (!(length > squared)) continue;
      const Step s = along(*gy, *gx);
      const std::ptrdiff_t next = s.dy * w + s.dx;
      if (gy[next] * gy[next] + gx[next] * gx[next] > length) continue;
      if (gy[-next] * gy[-next] + gx[-next] * gx[-next] > length) continue;
      any = true;
      const double norm = 1 / std::sqrt(static_cast<double>(length));
      const double uy = static_cast<double>(*gy) * norm;
      const double ux = static_cast<double>(*gx) * norm;
      for (std::size_t k = 0; k <= steps; ++k) {
        const double d = range.nearest + static_cast<double>(k);
        const double ty = static_cast<double>(y) + 0.5 - d * uy;
        const double tx = static_cast<double>(x) + 0.5 - d * ux;
        if (ty < 0 || tx < 0) break;
        const auto cy = static_cast<std::size_t>(0.5 * ty);
        const auto cx = static_cast<std::size_t>(0.5 * tx);
        if (cy >= height || cx >= width) break;
        buffers.votes[cy * width + cx] += static_cast<float>(1 / d);
      }
    }
  }
  std::vector<Peak> peaks;
  if (!any) return peaks;
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
        peaks.push_back({2 * static_cast<double>(y) + 0.5, 2 * static_cast<double>(x) + 0.5, static_cast<double>(v)});
    }
  }
  std::stable_sort(peaks.begin(), peaks.end(), [](const Peak& a, const Peak& b) { return a.votes > b.votes; });
  if (peaks.size() > most) peaks.resize(most);
  return peaks;
}

}  // namespace pyicg::detail
