// How wide the registers are that a build of the kernels works on: what a test can see of its instruction set.
#pragma once

#include <cstddef>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

std::size_t register_bytes(InstructionSet set);

}  // namespace pyicg::kernels
