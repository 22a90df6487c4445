#include "nearest_vertex.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "pyicg/measurement.hpp"

namespace pyicg::detail {
namespace {

constexpr std::size_t stretch = 8;  // vertices in a leaf
// A squared distance that is larger by more than this is so in truth, whatever was rounded.
constexpr double slack = 1 + 1e-14;

double squared(const Vertex& v, double y, double x) { return (v.y - y) * (v.y - y) + (v.x - x) * (v.x - x); }

}  // namespace

void NearestVertex::search(std::span<const Vertex> contour) {
  contour_ = contour;
  leaves_ = 1;
  last_ = 0;
  while (leaves_ * stretch < contour.size()) leaves_ *= 2;
  boxes_.assign(2 * leaves_, {infinity, infinity, -infinity, -infinity});
  for (std::size_t i = 0; i < contour.size(); ++i) {
    Box& box = boxes_[leaves_ + i / stretch];
    box = {std::min(box.y0, contour[i].y), std::min(box.x0, contour[i].x), std::max(box.y1, contour[i].y),
           std::max(box.x1, contour[i].x)};
  }
  for (std::size_t i = leaves_ - 1; i > 0; --i) {
    const Box& a = boxes_[2 * i];
    const Box& b = boxes_[2 * i + 1];
    boxes_[i] = {std::min(a.y0, b.y0), std::min(a.x0, b.x0), std::max(a.y1, b.y1), std::max(a.x1, b.x1)};
  }
}

template <class Look>
bool NearestVertex::find(double y, double x, const double& limit, const Look& look) const {
  std::array<std::size_t, 64> open{1};
  for (std::size_t n = 1; n > 0;) {
    const std::size_t node = open.at(--n);
    const Box& box = boxes_[node];
    const double dy = std::max({box.y0 - y, y - box.y1, 0.0});
    const double dx = std::max({box.x0 - x, x - box.x1, 0.0});
    if (dy * dy + dx * dx > limit) continue;
    if (node < leaves_) {
      open.at(n++) = 2 * node + 1;
      open.at(n++) = 2 * node;  // looked at first
      continue;
    }
    const std::size_t first = (node - leaves_) * stretch;
    for (std::size_t i = first; i < std::min(first + stretch, contour_.size()); ++i) {
      if (squared(contour_[i], y, x) <= limit && look(i)) return true;
    }
  }
  return false;
}

NearestVertex::Found NearestVertex::operator()(double y, double x) {
  double limit = slack * squared(contour_[last_], y, x);
  Found found{last_, infinity};
  find(y, x, limit, [&](std::size_t i) {
    limit = std::min(limit, slack * squared(contour_[i], y, x));
    const double distance = std::hypot(contour_[i].y - y, contour_[i].x - x);
    if (distance < found.distance) found = {i, distance};
    return false;
  });
  last_ = found.index;
  return found;
}

bool NearestVertex::any_within(double distance, double y, double x) const {
  return find(y, x, slack * distance * distance,
              [&](std::size_t i) { return std::hypot(contour_[i].y - y, contour_[i].x - x) < distance; });
}

}  // namespace pyicg::detail
