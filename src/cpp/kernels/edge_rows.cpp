// Compiled once for each instruction set: see lanes.hpp.
#include "edge_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const EdgeKernels edge;
}
namespace {

// Differences of a whole block first: bytes and floats in one loop do not become vectors.
constexpr std::size_t block = 64;

template <class T>
T length_of(const T& a0, const T& a1, const T& a2, const T& b0, const T& b2, const T& c0, const T& c1, const T& c2) {
  const T down = (c0 - a0) + (c2 - a2) + 2 * (c1 - a1);
  const T across = (a2 - a0) + (c2 - c0) + 2 * (b2 - b0);
  const T y = 0.125F * down;
  const T x = 0.125F * across;
  return y * y + x * x;
}

void lengths(const float* a, const float* b, const float* c, std::size_t n, float* out) {
  constexpr auto step = static_cast<std::size_t>(lanes<float>);
  std::size_t x = 0;
  for (; x + step <= n; x += step) {
    store(length_of(load(a + x - 1), load(a + x), load(a + x + 1), load(b + x - 1), load(b + x + 1), load(c + x - 1),
                    load(c + x), load(c + x + 1)),
          out + x);
  }
  for (; x < n; ++x)
    out[x] = length_of(*(a + x - 1), a[x], a[x + 1], *(b + x - 1), b[x + 1], *(c + x - 1), c[x], c[x + 1]);
}

void mark(const float* above, const float* here, const float* below, std::size_t n, float least, std::uint8_t* marked) {
  float squared[block] = {};
  for (std::size_t x = 1; x + 1 < n; x += block) {
    const std::size_t count = n - 1 - x < block ? n - 1 - x : block;
    lengths(above + x, here + x, below + x, count, squared);
    for (std::size_t i = 0; i < count; ++i) marked[x + i] = squared[i] < least ? 0 : 1;
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const EdgeKernels edge{mark};
}
}  // namespace pyicg::kernels
