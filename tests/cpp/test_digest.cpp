#include "pyicg/digest.hpp"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"

using namespace pyicg;

namespace {

std::string hex(const Digest& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += digits.at(byte / 16);
    text += digits.at(byte % 16);
  }
  return text;
}

struct Known {
  std::string_view title;
  std::size_t length;
  std::string_view expected;
};

// By Python's hashlib.blake2b with its tree parameters, of the bytes 7 k + k / 256 mod 256.
constexpr Known known[] = {
    {"", 0, "ac6df67d4c8a6be992aecfd6e4e878a0"},
    {"<u2(1, 1)", 2, "ab736a5ff36c5e7f30b5e65602097f78"},
    {"t", 127, "b683b4bb3d9e4f4519dc830c5ec478a0"},
    {"t", 128, "5debd1b03f438053974b3b8a42e0215f"},
    {"t", 129, "d9188c4f1bdd8f144ad0cb23c2812967"},
    {"", 512, "17c9a02c4a3791a6af835335b6e6969b"},
    {"", 513, "0f1e7da76815e342a76961621ff29c84"},
    {"a longer title, a longer title, a longer title, a longer title, a longer title, a longer title, a longer title, "
     "a longer title, a longer title, a longer title, a longer title, a longer title, a longer title, a longer title, "
     "a longer title, a longer title, a longer title, a longer title, a longer title, a longer title, ",
     1000, "0b51dd3d0b25912d9b96239f340e9857"},
    {"<u2(64, 63)", 8064, "2e7db4b4e133b3cf9c2ab03c14db32e0"},
    {"<f4(300, 301)", 361200, "26b22d1aa89b65d54d7b0efa9224f130"},
};

void as_another_library_has_it(InstructionSet set) {
  for (const Known& one : known) {
    std::vector<std::uint8_t> bytes(one.length);
    for (std::size_t k = 0; k < bytes.size(); ++k) bytes[k] = static_cast<std::uint8_t>(7 * k + k / 256);
    check::is_true(hex(digest(one.title, bytes, set)) == one.expected, "the digest of hashlib");
  }
}

}  // namespace

int main() {
  for (const InstructionSet set : {InstructionSet::baseline, InstructionSet::avx2}) {
    if (runs(set)) as_another_library_has_it(set);
  }
  return check::result();
}
