// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "edge_rows.hpp"

#include "lanes.hpp"
#include "packed_flags.hpp"

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

using Doubles = Lanes<double>;
constexpr auto together = static_cast<std::size_t>(lanes<double>);
constexpr double counted[] = {0, 1, 2, 3, 4, 5, 6, 7};  // as many as a register may hold

// Numbers that are not negative, without their fractions.
void store_whole(const Doubles& values, std::int32_t* to) {
  using Wholes [[gnu::vector_size(together * sizeof(std::int32_t))]] = std::int32_t;
  store(__builtin_convertvector(values, Wholes), to);
}

std::uint64_t look(const std::uint8_t* marked, std::size_t width, const EdgeLine& ray, std::size_t first, std::size_t n,
                   RayPlaces* places) {
  static_assert(ray_block == flags_packed && ray_block % together == 0);
  const EdgeLine at = ray;
  for (std::size_t i = 0; i < n; i += together) {
    const Doubles r = 0.5 * (static_cast<double>(static_cast<std::int64_t>(first + i)) + load(counted));
    store_whole(at.y + r * at.dy + 0.5, places->rows + i);
    store_whole(at.x + r * at.dx + 0.5, places->columns + i);
  }
  std::uint8_t flags[ray_block] = {};
  for (std::size_t i = 0; i < n; ++i) {
    flags[i] = marked[static_cast<std::size_t>(places->rows[i]) * width + static_cast<std::size_t>(places->columns[i])];
  }
  return packed(flags);
}

void add_fits(const double* log_r, std::size_t n, const double* log_radii, double per_log, double* sums) {
  for (std::size_t k = 0; k < radii_block; k += together) {
    const Doubles radius = load(log_radii + k);
    Doubles best{};
    for (std::size_t e = 0; e < n; ++e) {
      const Doubles apart = log_r[e] - radius;
      const Doubles fit = 1.0 - (apart < 0.0 ? -apart : apart) * per_log;
      best = fit > best ? fit : best;
    }
    store(load(sums + k) + best, sums + k);
  }
}

void vote(const EdgeLine& line, const double* distances, const float* weights, std::size_t n, std::size_t width,
          float* votes) {
  static_assert(votes_at_once % together == 0);
  const EdgeLine from = line;
  for (std::size_t first = 0; first < n; first += votes_at_once) {
    std::int32_t rows[votes_at_once];
    std::int32_t columns[votes_at_once];
    for (std::size_t k = 0; k < votes_at_once; k += together) {
      const Doubles d = load(distances + first + k);
      store_whole(0.5 * (from.y + d * from.dy), rows + k);
      store_whole(0.5 * (from.x + d * from.dx), columns + k);
    }
    const std::size_t count = n - first < votes_at_once ? n - first : votes_at_once;
    for (std::size_t k = 0; k < count; ++k) {
      votes[static_cast<std::size_t>(rows[k]) * width + static_cast<std::size_t>(columns[k])] += weights[first + k];
    }
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const EdgeKernels edge{mark, look, add_fits, vote};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
