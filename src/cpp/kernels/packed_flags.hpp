// Flags of 64 pixels as the bits of a word. Only the sources of kernels include this: see lanes.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyicg::kernels {
namespace {  // NOLINT(misc-anonymous-namespace-in-header,cert-dcl59-cpp): see lanes.hpp

constexpr std::size_t flags_packed = 64;

// The lowest bits of 64 bytes that are 0 or 1. A product moves the bits of eight bytes into the highest one.
[[maybe_unused]] std::uint64_t packed(const std::uint8_t* flags) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    std::uint64_t eight = 0;
    __builtin_memcpy(&eight, flags + 8 * i, sizeof(eight));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    all |= ((eight * 0x0102040810204080U) >> 56) << (8 * i);
  }
  return all;
}

}  // namespace
}  // namespace pyicg::kernels
