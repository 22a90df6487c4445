// BLAKE2b (RFC 7693) of four messages at once: what takes most of a frame's digest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"

namespace pyicg::kernels {

inline constexpr std::size_t hash_leaves = 4;
inline constexpr std::size_t hash_block = 128;  // bytes
constexpr std::uint64_t hash_start[8] = {// NOLINT(modernize-avoid-c-arrays): kernels use it
                                                0x6A09E667F3BCC908U, 0xBB67AE8584CAA73BU, 0x3C6EF372FE94F82BU,
                                                0xA54FF53A5F1D36F1U, 0x510E527FADE682D1U, 0x9B05688C2B3E6C1FU,
                                                0x1F83D9ABFB41BD6BU, 0x5BE0CD19137E2179U};

struct HashKernels {
  // Takes the first n blocks of each message in, none of which is its last. Word k of a leaf's state is
  // states[k * hash_leaves + leaf].
  void (*four)(std::uint64_t* states, const std::uint8_t* const* messages, std::size_t n);
  // Takes one block of one message in; `length` are the message's bytes up to its end. A last block is filled up with
  // zeros.
  void (*one)(std::uint64_t* state, const std::uint8_t* block, std::uint64_t length, bool last, bool last_node);
};

const HashKernels& hash_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
