// Compiled once for each instruction set: see lanes.hpp.
#include "lane_count.hpp"

#include "lanes.hpp"

namespace pyicg::kernels::PYICG_KERNEL_SET {

extern const std::size_t register_bytes;
const std::size_t register_bytes = lane_bytes;

}  // namespace pyicg::kernels::PYICG_KERNEL_SET
