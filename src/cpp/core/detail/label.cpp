#include "label.hpp"

#include <algorithm>
#include <cstddef>

namespace pyicg::detail {

const std::vector<Component>& label_components(ImageView<const std::uint8_t> pixels, std::uint8_t value,
                                               Connectivity connectivity, ImageView<std::int32_t> labels,
                                               RunComponents& ws) {
  const kernels::BitKernels& bits = kernels::bit_kernels();
  ws.find(pixels.height, pixels.width, connectivity, [&](std::size_t y, std::span<std::uint64_t> words) {
    bits.equal(pixels.row(y), value, pixels.width, words.data());
  });
  for (std::size_t y = 0; y < labels.height; ++y) std::fill_n(labels.row(y), labels.width, 0);
  for (const Run& run : ws.runs()) {
    std::fill_n(labels.row(run.y) + run.first, run.last - run.first + 1, static_cast<std::int32_t>(run.component + 1));
  }
  return ws.components();
}

}  // namespace pyicg::detail
