// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "hash_blocks.hpp"

#include <utility>

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const HashKernels hash;
}
namespace {

using Word = std::uint64_t;

constexpr int rounds = 12;
constexpr std::uint8_t order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

Word word_at(const std::uint8_t* from) {
  Word word = 0;
  __builtin_memcpy(&word, from, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

// Where there is AVX2, whole bytes move in one instruction, which compilers do not find by themselves.
template <int bits, class V>
constexpr bool moves_bytes = sizeof(V) == 32 && bits % 8 == 0;

template <int bits, class V, int... k>
V bytes_moved(const V& v, std::integer_sequence<int, k...> /*bytes*/) {
  const auto bytes = reinterpret_cast<Lanes<std::uint8_t>>(v);
  return reinterpret_cast<V>(__builtin_shufflevector(bytes, bytes, (k / 8 * 8 + (k + bits / 8) % 8)...));
}

template <int bits, class V>
V turned(const V& v) {
  if constexpr (moves_bytes<bits, V>) {
    return bytes_moved<bits>(v, std::make_integer_sequence<int, static_cast<int>(lane_bytes)>());
  } else {
    return (v >> bits) | (v << (64 - bits));
  }
}

template <class V>
void mix(V& a, V& b, V& c, V& d, const V& x, const V& y) {
  a = a + b + x;
  d = turned<32>(d ^ a);
  c = c + d;
  b = turned<24>(b ^ c);
  a = a + b + y;
  d = turned<16>(d ^ a);
  c = c + d;
  b = turned<63>(b ^ c);
}

// One block of as many messages as a V has lanes. `zero` spreads a word over the lanes when it is added.
template <class V>
void compress(V* h, const V* m, Word length, Word last, Word last_node) {
  const V zero{};
  V v[16];
  for (int k = 0; k < 8; ++k) {
    v[k] = h[k];
    v[k + 8] = zero + hash_start[k];
  }
  v[12] ^= zero + length;
  v[14] ^= zero + last;
  v[15] ^= zero + last_node;
#pragma GCC unroll 12
  for (int r = 0; r < rounds; ++r) {
    const std::uint8_t* const s = order[r % 10];
    mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
  }
  for (int k = 0; k < 8; ++k) h[k] ^= v[k] ^ v[k + 8];
}

void four(Word* states, const std::uint8_t* const* messages, std::size_t n) {
  for (std::size_t leaf = 0; leaf < hash_leaves; leaf += lanes<Word>) {
    Lanes<Word> h[8];
    for (std::size_t k = 0; k < 8; ++k) h[k] = load(states + k * hash_leaves + leaf);
    for (std::size_t at = 0; at < n * hash_block; at += hash_block) {
      Lanes<Word> m[16];
      for (std::size_t w = 0; w < 16; ++w) {
        Word each[lanes<Word>];
        for (std::size_t k = 0; k < lanes<Word>; ++k) each[k] = word_at(messages[leaf + k] + at + w * sizeof(Word));
        m[w] = load(each);
      }
      compress(h, m, at + hash_block, 0, 0);
    }
    for (std::size_t k = 0; k < 8; ++k) store(h[k], states + k * hash_leaves + leaf);
  }
}

void one(Word* state, const std::uint8_t* block, Word length, bool last, bool last_node) {
  Word m[16];
  for (std::size_t w = 0; w < 16; ++w) m[w] = word_at(block + w * sizeof(Word));
  compress(state, m, length, last ? ~Word{0} : Word{0}, last && last_node ? ~Word{0} : Word{0});
}

}  // namespace

namespace PYICG_KERNEL_SET {
const HashKernels hash{four, one};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
