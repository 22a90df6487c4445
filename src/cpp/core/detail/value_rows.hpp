// Rows of values that are read again and again.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "../../kernels/tile_rows.hpp"
#include "pyicg/calibrate.hpp"

namespace pyicg::detail {

class ValueRows {
 public:
  [[nodiscard]] virtual std::size_t height() const = 0;
  // The values of a row, NaN where one is missing: in place, or in `buffer`. Threads may read at once.
  virtual std::span<const float> row(std::size_t y, std::vector<float>& buffer) const = 0;

 protected:
  ValueRows() = default;
  ValueRows(const ValueRows&) = default;
  ValueRows(ValueRows&&) = default;
  ValueRows& operator=(const ValueRows&) = default;
  ValueRows& operator=(ValueRows&&) = default;
  ~ValueRows() = default;
};

// Those of a frame that its mask does not leave out.
class UsablePixels final : public ValueRows {
 public:
  explicit UsablePixels(const CalibratedView& frame) : frame_(frame) {}

  [[nodiscard]] std::size_t height() const override { return frame_.data.height; }

  std::span<const float> row(std::size_t y, std::vector<float>& buffer) const override {
    constexpr float all = std::numeric_limits<float>::infinity();
    std::size_t above = 0;
    buffer.resize(frame_.data.width);
    kernels::tile_kernels().pick(frame_.data.row(y), frame_.mask.row(y), mask_left_out, mask_underflow, -all, all,
                                 frame_.data.width, buffer.data(), &above);
    return buffer;
  }

 private:
  CalibratedView frame_;
};

}  // namespace pyicg::detail
