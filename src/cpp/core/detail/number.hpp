// Numbers inside messages.
#pragma once

#include <array>
#include <charconv>
#include <string>

namespace pyicg::detail {

// The shortest of up to nine digits, whatever the locale: 4095, 0.25, 1e-40.
inline std::string number(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.begin(), text.end(), value, std::chars_format::general, 9).ptr};
}

}  // namespace pyicg::detail
