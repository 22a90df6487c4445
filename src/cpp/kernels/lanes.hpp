// Registers of the instruction set that a kernel is compiled for (vector extension of GCC and Clang). Only the sources
// of kernels include this. They are compiled once for each set, so everything in them has internal linkage but a table
// at the end, and they call no template or inline function of a library: the linker keeps one copy of such a function
// for the whole program, and it might keep the copy that an older processor cannot run. That is why arrays are plain
// ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pyicg::kernels {
namespace {  // NOLINT(misc-anonymous-namespace-in-header,cert-dcl59-cpp): see above

#if defined(PYICG_AVX512_KERNELS) && defined(__AVX512F__)  // the others do not know 64 bytes
constexpr std::size_t lane_bytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t lane_bytes = 32;
#else
constexpr std::size_t lane_bytes = 16;
#endif

template <class T>
struct Register {
  using Values [[gnu::vector_size(lane_bytes)]] = T;
};
template <class T>
using Lanes = Register<T>::Values;

// Integers as wide as a T, which number what is in the lanes.
template <class T>
using IndexOf = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;
template <class T>
using IndexLanes = Lanes<IndexOf<T>>;

// How many numbers one register holds.
template <class T>
constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(lane_bytes / sizeof(T));

template <class T>
[[maybe_unused]] Lanes<T> load(const T* from) {
  Lanes<T> values;
  __builtin_memcpy(&values, from, lane_bytes);
  return values;
}

// Numbers of any type, converted one by one: of that, compilers make the instruction that converts them together.
template <class T>
[[maybe_unused]] Lanes<double> load_doubles(const T* from) {
  const auto of = [&](std::size_t k) { return static_cast<double>(from[k]); };
  static_assert(lanes<T> > 0 && lanes<double> <= 4);  // of T, so that it is asked where this is used
  if constexpr (lanes<double> == 4) {
    return Lanes<double>{of(0), of(1), of(2), of(3)};
  } else {
    return Lanes<double>{of(0), of(1)};
  }
}

// Not an array of them at once: compilers take the way through memory for that.
template <class V, class T>
[[maybe_unused]] void store(const V& values, T* to) {
  __builtin_memcpy(to, &values, sizeof(values));
}

// Of lanes that are all ones or zero, as comparisons give, one bit each; the first lane's is the lowest.
template <class V>
[[maybe_unused]] std::uint32_t bits_of(const V& holds) {
#if defined(__SSE2__) && !defined(PYICG_AVX512_KERNELS)
  static_assert(sizeof(V) == lane_bytes);
  if constexpr (sizeof(holds[0]) == 1) {
    Lanes<char> signs;
    __builtin_memcpy(&signs, &holds, lane_bytes);
#ifdef __AVX2__
    return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb256(signs));
#else
    return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb128(signs));
#endif
  } else {
    static_assert(sizeof(holds[0]) == sizeof(float));
    Lanes<float> signs;
    __builtin_memcpy(&signs, &holds, lane_bytes);
#ifdef __AVX2__
    return static_cast<std::uint32_t>(__builtin_ia32_movmskps256(signs));
#else
    return static_cast<std::uint32_t>(__builtin_ia32_movmskps(signs));
#endif
  }
#else
  std::uint32_t bits = 0;
  for (std::size_t k = 0; k < sizeof(V) / sizeof(holds[0]); ++k) bits |= (holds[k] != 0 ? 1U : 0U) << k;
  return bits;
#endif
}

template <class V>
[[maybe_unused]] V smaller(const V& a, const V& b) {
  return a < b ? a : b;
}

}  // namespace
}  // namespace pyicg::kernels
