#include "pyicg/packed_frame.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.hpp"

using namespace pyicg;

namespace {

// A bit at a time.
std::uint16_t oracle(const std::uint8_t* row, std::size_t x, unsigned bits) {
  unsigned value = 0;
  for (unsigned k = 0; k < bits; ++k) {
    const std::size_t at = x * bits + k;
    value |= (unsigned{row[at / 8]} >> (at % 8) & 1U) << k;
  }
  return static_cast<std::uint16_t>(value);
}

void by_hand() {
  const std::vector<std::uint8_t> twelve = {0x21, 0x43, 0x65};
  std::vector<std::uint16_t> out(4);
  unpack({twelve.data(), 1, 3}, Packing::mono12p, {out.data(), 1, 2});
  check::equal(out[0], 0x321);
  check::equal(out[1], 0x654);
  const std::vector<std::uint8_t> ten = {0xFF, 0x03, 0xF0, 0x7F, 0x00};  // 1023, 0, 1023, 1
  unpack({ten.data(), 1, 5}, Packing::mono10p, {out.data(), 1, 4});
  check::equal(out[0], 1023);
  check::equal(out[1], 0);
  check::equal(out[2], 1023);
  check::equal(out[3], 1);
}

// Every width up to five groups, rows that end inside a byte, padded rows, and rows from the last to the first.
void all_widths() {
  std::uint32_t state = 7;
  for (const Packing packing : {Packing::mono10p, Packing::mono12p}) {
    for (std::size_t width = 0; width <= 20; ++width) {
      const std::size_t row = packed_row_bytes(width, packing);
      check::equal(row, (width * static_cast<unsigned>(packing) + 7) / 8);
      const std::size_t stride = row + width % 3;
      constexpr std::size_t height = 3;
      std::vector<std::uint8_t> packed(height * stride + 1);
      for (std::uint8_t& byte : packed) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::uint8_t>(state >> 24);
      }
      std::vector<std::uint16_t> out(height * width);
      std::vector<std::uint16_t> flipped(height * width);
      const auto step = static_cast<std::ptrdiff_t>(stride);
      unpack({packed.data(), height, row, step}, packing, {out.data(), height, width});
      unpack({packed.data() + 2 * step, height, row, -step}, packing, {flipped.data(), height, width});
      for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
          const std::uint16_t expected = oracle(packed.data() + y * stride, x, static_cast<unsigned>(packing));
          check::equal(out[y * width + x], expected);
          check::equal(flipped[(2 - y) * width + x], expected);
        }
      }
    }
  }
}

void refusals() {
  const std::vector<std::uint8_t> packed(6);
  std::vector<std::uint16_t> out(4);
  check::throws(ErrorKind::input, [&] { unpack({packed.data(), 1, 5}, Packing::mono12p, {out.data(), 1, 4}); });
  check::throws(ErrorKind::input, [&] { unpack({packed.data(), 2, 3}, Packing::mono12p, {out.data(), 1, 2}); });
}

}  // namespace

int main() {
  by_hand();
  all_widths();
  refusals();
  return check::result();
}
