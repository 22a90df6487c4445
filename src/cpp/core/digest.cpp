#include "pyicg/digest.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "../kernels/hash_blocks.hpp"

namespace pyicg {
namespace {

using kernels::hash_block;
using kernels::hash_leaves;
using Bytes = std::span<const std::uint8_t>;
using State = std::array<std::uint64_t, 8>;

constexpr std::size_t leaf_bytes = 64;

// The parameter block: digest length, key length 0, fanout, depth; number of the node; its depth and inner length.
State begin(std::size_t length, std::uint64_t node, std::uint64_t depth) {
  State state{};
  std::copy(std::begin(kernels::hash_start), std::end(kernels::hash_start), state.begin());
  state[0] ^= length | (hash_leaves << 16U) | (std::uint64_t{2} << 24U);
  state[1] ^= node;
  state[2] ^= depth | (leaf_bytes << 8U);
  return state;
}

// Blocks of a message that are not its last: even an empty message has that one.
std::size_t early_blocks(Bytes message) { return message.empty() ? 0 : (message.size() - 1) / hash_block; }

// The blocks of a message from `block` on.
void finish(State& state, Bytes message, std::size_t block, bool last_node, const kernels::HashKernels& hash) {
  for (; block < early_blocks(message); ++block) {
    hash.one(state.data(), message.data() + block * hash_block, (block + 1) * hash_block, false, false);
  }
  std::array<std::uint8_t, hash_block> padded{};
  const Bytes rest = message.subspan(block * hash_block);
  std::copy(rest.begin(), rest.end(), padded.begin());
  hash.one(state.data(), padded.data(), message.size(), true, last_node);
}

void write(const State& state, std::span<std::uint8_t> out) {
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = static_cast<std::uint8_t>(state.at(k / 8) >> (8 * (k % 8)));
}

}  // namespace

Digest digest(std::string_view title, std::span<const std::uint8_t> bytes, InstructionSet set) {
  const kernels::HashKernels& hash = kernels::hash_kernels(set);
  const std::size_t quarter = (bytes.size() + hash_leaves * hash_block - 1) / (hash_leaves * hash_block) * hash_block;
  std::array<Bytes, hash_leaves> leaves;
  std::array<const std::uint8_t*, hash_leaves> starts{};
  std::array<std::uint64_t, 8 * hash_leaves> states{};
  for (std::size_t leaf = 0; leaf < hash_leaves; ++leaf) {
    const std::size_t first = std::min(leaf * quarter, bytes.size());
    leaves.at(leaf) = bytes.subspan(first, std::min(quarter, bytes.size() - first));
    starts.at(leaf) = leaves.at(leaf).data();
    const State state = begin(leaf_bytes, leaf, 0);
    for (std::size_t k = 0; k < state.size(); ++k) states.at(k * hash_leaves + leaf) = state.at(k);
  }
  const std::size_t together = early_blocks(leaves.back());  // the shortest
  hash.four(states.data(), starts.data(), together);
  std::vector<std::uint8_t> root(title.begin(), title.end());
  for (std::size_t leaf = 0; leaf < hash_leaves; ++leaf) {
    State state{};
    for (std::size_t k = 0; k < state.size(); ++k) state.at(k) = states.at(k * hash_leaves + leaf);
    finish(state, leaves.at(leaf), together, leaf + 1 == hash_leaves, hash);
    root.resize(root.size() + leaf_bytes);
    write(state, std::span(root).last(leaf_bytes));
  }
  State state = begin(Digest{}.size(), 0, 1);
  finish(state, root, 0, true, hash);
  Digest found{};
  write(state, found);
  return found;
}

}  // namespace pyicg
