// Raw frames whose pixels lie bit by bit behind one another: PFNC's Mono10p and Mono12p, lowest bits first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/image_view.hpp"

namespace pyicg {

enum class Packing : std::uint8_t { mono10p = 10, mono12p = 12 };  // bits of a pixel

// The bytes of a row, each of which begins with a byte of its own.
constexpr std::size_t packed_row_bytes(std::size_t width, Packing packing) {
  return (width * static_cast<std::size_t>(packing) + 7) / 8;
}

// `packed` has rows of packed_row_bytes(out.width) bytes and as many as `out`. Throws Error(input) where it has not.
void unpack(const ImageView<const std::uint8_t>& packed, Packing packing, const ImageView<std::uint16_t>& out);

}  // namespace pyicg
