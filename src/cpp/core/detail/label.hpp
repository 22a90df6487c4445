// Connected components with a plane of labels.
#pragma once

#include <cstdint>
#include <vector>

#include "pyicg/image_view.hpp"
#include "runs.hpp"

namespace pyicg::detail {

// Labels the pixels of `pixels` equal to `value`: 1, 2, ... in order of their first pixel; 0 elsewhere. Component k - 1
// describes label k. The components are the workspace's, until it finds others.
const std::vector<Component>& label_components(ImageView<const std::uint8_t> pixels, std::uint8_t value,
                                               Connectivity connectivity, ImageView<std::int32_t> labels,
                                               RunComponents& ws);

}  // namespace pyicg::detail
