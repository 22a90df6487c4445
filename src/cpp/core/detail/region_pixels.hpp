// Which pixels of a region count, one bit for each, so that a row is read again and again without its masks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pyicg/image_view.hpp"
#include "value_rows.hpp"

namespace pyicg::detail {

class RegionPixels final : public ValueRows {
 public:
  struct Count {
    std::size_t asked = 0;
    std::size_t saturated = 0;  // of those asked for
  };

  explicit RegionPixels(ImageView<const float> data);

  // Finds what counts in rows [first, last) and tells visit(y, count): what lies in the region (everything where its
  // data pointer is null), the mask allows, and is finite.
  template <class Visit>
  void select(std::size_t first, std::size_t last, ImageView<const std::uint8_t> mask,
              ImageView<const std::uint8_t> region, const Visit& visit) {
    std::vector<std::uint64_t> scratch;
    for (std::size_t y = first; y < last; ++y) visit(y, select_row(y, mask, region, scratch));
  }

  [[nodiscard]] std::size_t height() const override { return rows_.size(); }

  // Those that count: in place where they lie side by side, else copied together in `buffer`.
  std::span<const float> row(std::size_t y, std::vector<float>& buffer) const override;

 private:
  struct Row {
    std::size_t first = 0;  // words [first, last) hold all of it
    std::size_t last = 0;
    std::size_t n = 0;
  };

  Count select_row(std::size_t y, ImageView<const std::uint8_t> mask, ImageView<const std::uint8_t> region,
                   std::vector<std::uint64_t>& scratch);

  ImageView<const float> data_;
  std::size_t stride_;  // words of a row
  std::vector<std::uint64_t> words_;
  std::vector<Row> rows_;
};

}  // namespace pyicg::detail
