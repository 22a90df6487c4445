// Connected components of a binary image as runs of pixels in a row: no plane of labels is written.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../../kernels/pixel_bits.hpp"

namespace pyicg::detail {

struct Component {
  std::size_t area = 0;
  double sum_y = 0;
  double sum_x = 0;
  std::size_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;  // bounding box, inclusive
  bool touches_border = false;

  [[nodiscard]] double centroid_y() const { return sum_y / static_cast<double>(area); }
  [[nodiscard]] double centroid_x() const { return sum_x / static_cast<double>(area); }
};

enum class Connectivity : std::uint8_t { four, eight };

struct Run {
  std::uint32_t y, first, last;  // columns inclusive
  std::uint32_t component;       // index of the component it belongs to
};

// Finds components; keeps its buffers from image to image.
class RunComponents {
 public:
  // `row_bits(y, words)` says which pixels of a row belong: one bit each, see pixel_bits.hpp.
  template <class RowBits>
  void find(std::size_t height, std::size_t width, Connectivity connectivity, const RowBits& row_bits) {
    begin(height, width, connectivity);
    for (std::size_t y = 0; y < height; ++y) {
      row_bits(y, std::span(words_));
      add_row(y);
    }
    finish();
  }

  // In order of rows and columns, unless sorted otherwise.
  [[nodiscard]] std::span<const Run> runs() const { return runs_; }
  // From here on in order of components, and within one of rows and columns.
  void sort_by_component();
  // In order of their first pixels.
  [[nodiscard]] const std::vector<Component>& components() const { return components_; }

 private:
  void begin(std::size_t height, std::size_t width, Connectivity connectivity);
  void add_row(std::size_t y);
  void finish();
  std::uint32_t root(std::uint32_t run);

  std::size_t height_ = 0;
  std::size_t width_ = 0;
  std::uint32_t reach_ = 0;
  std::size_t above_ = 0;  // first run of the row above
  std::vector<std::uint64_t> words_;
  std::vector<Run> runs_;
  std::vector<Run> sorted_;
  std::vector<std::uint32_t> parent_;
  std::vector<Component> components_;
};

}  // namespace pyicg::detail
