// What tells one input from another: a digest of bytes, fast enough for every frame.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "pyicg/instruction_set.hpp"

namespace pyicg {

using Digest = std::array<std::uint8_t, 16>;

// BLAKE2b in its tree mode (RFC 7693 with the parameters of the BLAKE2 paper, section 2.10): four leaves of 64 bytes,
// fanout 4, depth 2. The leaves are the four quarters of `bytes`, each but the last a multiple of 128 bytes and as
// small as can be; the root hashes `title`, then the leaves. Any library with tree parameters gives the same.
Digest digest(std::string_view title, std::span<const std::uint8_t> bytes, InstructionSet set = instruction_set());

}  // namespace pyicg
