// What a caller of the C interface hands in, checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

namespace pyicg::capi {

// The caller broke the rules of pyicg.h.
class ArgumentError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool ok, const char* message) {
  if (!ok) throw ArgumentError(message);
}

// The largest number of bytes an array can have.
inline constexpr auto most_bytes = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());

template <class T>
bool aligned(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0;
}

template <class T>
void require_pointer(const T* p, const char* name) {
  if (p == nullptr) throw ArgumentError(std::string(name) + " is NULL");
  if (!aligned(p)) throw ArgumentError(std::string(name) + " is not aligned: no such object can be there");
}

template <class Struct>
bool is_struct(const Struct* s, std::size_t first_size) {
  return s != nullptr && aligned(s) && s->struct_size >= first_size;
}

// `first_size` is the size of the struct's first version: every later one begins with the same members.
template <class Struct>
void require_struct(const Struct* s, const char* name, std::size_t first_size = sizeof(Struct)) {
  require_pointer(s, name);
  if (s->struct_size < first_size) {
    throw ArgumentError("struct_size of " + std::string(name) + " is " + std::to_string(s->struct_size) +
                        ", expected at least " + std::to_string(first_size) + "; set it to sizeof the struct");
  }
  if (s->struct_size > first_size && s->struct_size < sizeof(Struct)) {
    throw ArgumentError("struct_size of " + std::string(name) + " is " + std::to_string(s->struct_size) +
                        ", that of no version; set it to sizeof the struct");
  }
}

}  // namespace pyicg::capi
