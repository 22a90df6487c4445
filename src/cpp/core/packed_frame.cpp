#include "pyicg/packed_frame.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

#include "pyicg/error.hpp"

namespace pyicg {
namespace {

// A pixel of 10 or 12 bits never reaches into a third byte: it begins at an even bit up to the sixth, or at the fourth.
template <unsigned bits>
std::uint16_t pixel(const std::uint8_t* in, std::size_t x) {
  constexpr unsigned largest = (1U << bits) - 1;
  const std::size_t at = x * bits;
  const unsigned two = in[at / 8] | unsigned{in[at / 8 + 1]} << 8U;
  return static_cast<std::uint16_t>(two >> at % 8 & largest);
}

// By groups of 4, which end with a byte, so that the places of their bits are known to the compiler.
template <unsigned bits>
void unpack_row(const std::uint8_t* in, std::size_t width, std::uint16_t* out) {
  std::size_t x = 0;
  for (; x + 4 <= width; x += 4, in += bits / 2) {
    for (std::size_t k = 0; k < 4; ++k) out[x + k] = pixel<bits>(in, k);
  }
  for (std::size_t k = 0; x + k < width; ++k) out[x + k] = pixel<bits>(in, k);
}

}  // namespace

void unpack(const ImageView<const std::uint8_t>& packed, Packing packing, const ImageView<std::uint16_t>& out) {
  const std::size_t row = packed_row_bytes(out.width, packing);
  if (packed.height != out.height || packed.width != row) {
    throw Error(ErrorKind::input, "packed rows are " + std::to_string(packed.height) + " of " +
                                      std::to_string(packed.width) + " bytes, expected " + std::to_string(out.height) +
                                      " of " + std::to_string(row));
  }
  for (std::size_t y = 0; y < out.height; ++y) {
    if (packing == Packing::mono10p) {
      unpack_row<10>(packed.row(y), out.width, out.row(y));
    } else {
      unpack_row<12>(packed.row(y), out.width, out.row(y));
    }
  }
}

}  // namespace pyicg
