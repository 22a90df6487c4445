// The vertex of a contour that lies nearest to a point, without looking at most of them: boxes around ever longer
// stretches of the contour tell which ones are too far away.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pyicg/rim.hpp"

namespace pyicg::detail {

class NearestVertex {
 public:
  // Of this contour from here on, which has at least one vertex and must stay as it is. Keeps its memory from contour
  // to contour.
  void search(std::span<const Vertex> contour);

  struct Found {
    std::size_t index;  // the first of equally near ones
    double distance;    // px
  };
  // Fast where the point is near to the one before.
  Found operator()(double y, double x);

  // Whether any vertex lies nearer than `distance`.
  [[nodiscard]] bool any_within(double distance, double y, double x) const;

 private:
  struct Box {
    double y0, x0, y1, x1;
  };

  // Calls look(i) for the vertices whose squared distance is not over `limit`, which may shrink, until it returns true.
  template <class Look>
  bool find(double y, double x, const double& limit, const Look& look) const;

  std::span<const Vertex> contour_;
  std::size_t leaves_ = 1;  // a power of two; leaf k holds the vertices from stretch * k on
  std::vector<Box> boxes_;  // of node i: children 2 i and 2 i + 1; leaves from leaves_ on
  std::size_t last_ = 0;
};

}  // namespace pyicg::detail
