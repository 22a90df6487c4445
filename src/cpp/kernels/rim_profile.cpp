// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "rim_profile.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const ProfileKernels profile;
}
namespace {

using Doubles = Lanes<double>;

constexpr std::ptrdiff_t block = lanes<double>;
constexpr std::size_t nodes = 5;
constexpr double node_weights[nodes] = {0.01125741132772068, 0.22207592200561263, 0.53333333333333333,
                                        0.22207592200561263, 0.01125741132772068};
constexpr double most_mild = 0.4;  // of sigma: falls this near their mean
constexpr std::ptrdiff_t row_size = profile_columns;
constexpr double counting[profile_room] = {0, 1, 2, 3};
constexpr double whole = 0x1.8p52;  // added to a number it leaves the nearest integer in the last bits

// ---- edges

// Pairs of density and share from the table, whose middle is given.
template <class V>
void look_up(const double* table, const std::int64_t* at, V& density, V& share) {
  using Pair [[gnu::vector_size(16)]] = double;
  Pair pairs[sizeof(V) / sizeof(double)];
  for (std::ptrdiff_t i = 0; i < block; ++i) {
    __builtin_memcpy(&pairs[i], table + 2 * static_cast<std::ptrdiff_t>(static_cast<std::int32_t>(at[i])),
                     sizeof(Pair));
  }
  if constexpr (sizeof(V) == 2 * sizeof(Pair)) {
    const V even = __builtin_shufflevector(pairs[0], pairs[2], 0, 1, 2, 3);
    const V odd = __builtin_shufflevector(pairs[1], pairs[3], 0, 1, 2, 3);
    density = __builtin_shufflevector(even, odd, 0, 4, 2, 6);
    share = __builtin_shufflevector(even, odd, 1, 5, 3, 7);
  } else {
    density = __builtin_shufflevector(pairs[0], pairs[1], 0, 2);
    share = __builtin_shufflevector(pairs[0], pairs[1], 1, 3);
  }
}

// The standard normal distribution at u, bounded: its Taylor series about the nearest place of the table, within 4e-10.
struct Normal {
  Doubles u, density, share;
};
Normal normal_at(const double* middle, const Doubles& per_unit) {
  const Doubles last = Doubles{} + normal_middle;
  Doubles place = per_unit < normal_end * normal_per_unit ? per_unit : last;
  place = place > -normal_end * normal_per_unit ? place : -last;
  const Doubles shifted = place + whole;
  const Doubles nearest = shifted - whole;
  std::int64_t at[block];
  store(shifted, at);  // the low halves
  Doubles density;
  Doubles share;
  look_up(middle, at, density, share);
  const Doubles v = nearest * (1.0 / normal_per_unit);
  const Doubles h = (place - nearest) * (1.0 / normal_per_unit);
  const Doubles first = v * h;
  const Doubles second = (v * v - 1) * h * h;
  share += density * h * (1 - 0.5 * first + second * (1.0 / 6));
  density *= 1 - first + 0.5 * second;
  return {place * (1.0 / normal_per_unit), density, share};
}

// A curved edge, ready to be seen through its blur. Where the falls hardly differ, the mean over the nodes is that of a
// straight edge at their mean fall, and a series in their moments about it: polynomials times the density, within
// 3e-8 of the step.
struct BlurredEdge {
  CurvedEdge edge;
  bool mild;
  double mean;      // fall
  double level[6];  // coefficients, from the constant on
  double position[7];
  double blur[7];
};

BlurredEdge prepare(const CurvedEdge& edge) {
  BlurredEdge e{edge, true, 0, {}, {}, {}};
  const double* const f = edge.falls;
  const double far = node_weights[0];
  const double near = node_weights[1];
  // Sums in the order that a mirrored edge has, too.
  e.mean = far * (f[0] + f[4]) + near * (f[1] + f[3]) + node_weights[2] * f[2];
  const double per_sigma = 1 / edge.sigma;
  double away[nodes];
  double power[nodes];
  for (std::size_t q = 0; q < nodes; ++q) {
    away[q] = (f[q] - e.mean) * per_sigma;
    if (!(away[q] < most_mild && away[q] > -most_mild)) e.mild = false;
    power[q] = away[q];
  }
  if (!e.mild) return e;
  double m[5];  // moments 2 to 6
  for (double& moment : m) {
    for (std::size_t q = 0; q < nodes; ++q) power[q] *= away[q];
    moment = far * (power[0] + power[4]) + near * (power[1] + power[3]) + node_weights[2] * power[2];
  }
  const double a = m[0] / 2;
  const double b = m[1] / 6;
  const double c = m[2] / 24;
  const double d = m[3] / 120;
  const double g = m[4] / 720;
  // Over the density, the derivatives of the share are Hermite polynomials with alternating signs:
  // u, u^2 - 1, u^3 - 3 u, u^4 - 6 u^2 + 3, u^5 - 10 u^3 + 15 u, u^6 - 15 u^4 + 45 u^2 - 15.
  // level = -a He1 + b He2 - c He3 + d He4 - g He5
  e.level[0] = -b + 3 * d;
  e.level[1] = -a + 3 * c - 15 * g;
  e.level[2] = b - 6 * d;
  e.level[3] = -c + 10 * g;
  e.level[4] = d;
  e.level[5] = -g;
  // position = 1 + a He2 - b He3 + c He4 - d He5 + g He6
  e.position[0] = 1 - a + 3 * c - 15 * g;
  e.position[1] = 3 * b - 15 * d;
  e.position[2] = a - 6 * c + 45 * g;
  e.position[3] = -b + 10 * d;
  e.position[4] = c - 15 * g;
  e.position[5] = -d;
  e.position[6] = g;
  // The places along the edge move with sigma, and the falls with their square:
  // 2 mean position + 2 (-2 a He1 + 3 b He2 - 4 c He3 + 5 d He4 - 6 g He5) - He1 - a He3 + b He4 - c He5 + d He6
  const double twice = 2 * e.mean * per_sigma;
  for (std::size_t i = 0; i < 7; ++i) e.blur[i] = twice * e.position[i];
  e.blur[0] += -6 * b + 30 * d + 3 * b - 15 * d;
  e.blur[1] += -4 * a + 24 * c - 180 * g - 1 + 3 * a - 15 * c;
  e.blur[2] += 6 * b - 60 * d - 6 * b + 45 * d;
  e.blur[3] += -8 * c + 120 * g - a + 10 * c;
  e.blur[4] += 10 * d + b - 15 * d;
  e.blur[5] += -12 * g - c;
  e.blur[6] += d;
  return e;
}

template <std::size_t n>
Doubles polynomial(const double (&c)[n], const Doubles& u) {
  Doubles sum = Doubles{} + c[n - 1];
#pragma GCC unroll 8
  for (std::size_t i = 1; i < n; ++i) sum = sum * u + c[n - 1 - i];
  return sum;
}

struct Edge {
  Doubles level, position, blur;
};

// Distances rise from lane to lane.
Edge blurred(const BlurredEdge& blurred_edge, const Doubles& distance) {
  const CurvedEdge& edge = blurred_edge.edge;
  const double reach = normal_end * edge.sigma;
  const Doubles zero{};
  const Doubles one = zero + 1;
  Edge sum{zero, zero, zero};
  if (distance[0] > reach) {
    sum.level = one;
    return sum;
  }
  if (distance[block - 1] < -reach) return sum;
  const double per_sigma = 1 / edge.sigma;
  const double per_place = normal_per_unit * per_sigma;
  const double* const middle = edge.normal + 2 * std::ptrdiff_t{normal_middle};
  if (blurred_edge.mild) {
    const Normal at = normal_at(middle, (distance + blurred_edge.mean) * per_place);
    sum.level = at.share + at.density * polynomial(blurred_edge.level, at.u);
    sum.position = at.density * polynomial(blurred_edge.position, at.u);
    sum.blur = at.density * polynomial(blurred_edge.blur, at.u) * edge.sigma;
  } else {
#pragma GCC unroll 5
    for (std::size_t q = 0; q < nodes; ++q) {
      const Normal at = normal_at(middle, (distance + edge.falls[q]) * per_place);
      const Doubles density = node_weights[q] * at.density;
      sum.level += node_weights[q] * at.share;
      sum.position += density;
      // The places along the edge move with sigma, and the falls with their square.
      sum.blur += density * (edge.falls[q] - distance);
    }
  }
  sum.position *= per_sigma;
  sum.blur *= per_sigma * per_sigma;
  const auto far_out = distance > reach;
  const auto far_in = distance < -reach;
  sum.level = far_out ? one : (far_in ? zero : sum.level);
  sum.position = far_out | far_in ? zero : sum.position;
  sum.blur = far_out | far_in ? zero : sum.blur;
  return sum;
}

Doubles places_from(const ProfilePlaces& places, std::ptrdiff_t i) {
  return places.step * (static_cast<double>(places.first + i) + load(counting));
}

void edge(const CurvedEdge& edge, const ProfilePlaces& places, double at, double* level, double* position,
          double* blur) {
  const auto n = static_cast<std::ptrdiff_t>(places.n);
  const BlurredEdge ready = prepare(edge);
  for (std::ptrdiff_t i = 0; i < n; i += block) {
    const Edge found = blurred(ready, places_from(places, i) - at);
    store(found.level, level + i);
    store(found.position, position + i);
    store(found.blur, blur + i);
  }
}

// ---- the profile's equations

// A square of lanes by lanes numbers, turned.
template <class V>
void turn(V* v) {
  if constexpr (sizeof(V) / sizeof(double) == 4) {
    const V a = __builtin_shufflevector(v[0], v[1], 0, 4, 2, 6);
    const V b = __builtin_shufflevector(v[0], v[1], 1, 5, 3, 7);
    const V c = __builtin_shufflevector(v[2], v[3], 0, 4, 2, 6);
    const V d = __builtin_shufflevector(v[2], v[3], 1, 5, 3, 7);
    v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    v[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
  } else {
    const V a = __builtin_shufflevector(v[0], v[1], 0, 2);
    v[1] = __builtin_shufflevector(v[0], v[1], 1, 3);
    v[0] = a;
  }
}

// What the signal at each place depends on, and what the model leaves of it: one row of columns a place.
void set_rows(const RimProfile& p, double* rows) {
  const double inner_step = p.rim - p.core;
  const double outer_step = p.outside - p.rim;
  const double own_step = p.inner ? inner_step : outer_step;
  const double beyond_step = p.inner ? outer_step : inner_step;
  const double ramp = p.inner ? inner_step : -outer_step;
  const double square = p.own.sigma * p.own.sigma;
  const BlurredEdge own_edge = prepare(p.own);
  const BlurredEdge beyond_edge = prepare(p.beyond);
  const auto n = static_cast<std::ptrdiff_t>(p.places.n);
  for (std::ptrdiff_t i = 0; i < n; i += block) {
    const Doubles t = places_from(p.places, i);
    const Edge own = blurred(own_edge, t);
    Edge beyond{Doubles{}, Doubles{}, Doubles{}};
    if (!p.alone) beyond = blurred(beyond_edge, t - p.beyond_at);
    const Doubles in = p.inner ? own.level : beyond.level;   // past the inner boundary
    const Doubles out = p.inner ? beyond.level : own.level;  // past the outer one
    const Doubles between = p.inner ? own.position - beyond.position : beyond.position - own.position;
    Doubles f[profile_columns];
    f[0] = 1 - in;
    f[1] = in - out;
    f[2] = out;
    f[3] = -beyond_step * beyond.position;
    f[4] = -own_step * own.position;
    f[5] = ramp * (t * f[1] + square * between);  // a ramp between both edges, blurred
    f[6] = p.inner ? own_step * own.blur + beyond_step * beyond.blur : beyond_step * beyond.blur + own_step * own.blur;
    f[7] = load(p.signals + i) - (p.core * f[0] + p.rim * f[1] + p.outside * f[2] + p.tilt * f[5]);
#pragma GCC unroll 8
    for (std::ptrdiff_t from = 0; from < row_size; from += block) {
      turn(f + from);
#pragma GCC unroll 8
      for (std::ptrdiff_t j = 0; j < block; ++j) {
        store(f[from + j], rows + (i + j) * row_size + from);
      }
    }
  }
}

std::size_t products(const RimProfile& p, double* rows, double* sums) {
  constexpr std::size_t columns = profile_columns;
  constexpr std::size_t half = columns / 2;
  constexpr std::size_t registers = half / block;
  set_rows(p, rows);
  // Of the lower half of the rows only the right half: the sums are symmetric.
  Doubles top[half][2 * registers];
  Doubles corner[half][registers];
#pragma GCC unroll 8
  for (std::size_t a = 0; a < half; ++a) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 2 * registers; ++r) top[a][r] = Doubles{};
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) corner[a][r] = Doubles{};
  }
  std::size_t count = 0;
  for (std::size_t s = 0; s < p.places.n; ++s) {
    const double* const row = rows + s * columns;
    if (__builtin_isnan(p.signals[s])) continue;
    ++count;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 2 * registers; ++r) {
      const Doubles right = load(row + r * block);
#pragma GCC unroll 8
      for (std::size_t a = 0; a < half; ++a) {
        top[a][r] += row[a] * right;
        if (r >= registers) corner[a][r - registers] += row[half + a] * right;
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t a = 0; a < half; ++a) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 2 * registers; ++r) store(top[a][r], sums + a * columns + r * block);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) store(corner[a][r], sums + (half + a) * columns + half + r * block);
  }
  for (std::size_t a = 1; a < columns; ++a) {
    for (std::size_t b = 0; b < a; ++b) sums[a * columns + b] = sums[b * columns + a];
  }
  return count;
}

void box(const double* in, std::size_t n, std::size_t m, double share, double* out) {
  constexpr std::size_t size = profile_columns * profile_columns;
  constexpr std::size_t registers = 8;
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t from = 0; from < size; from += registers * block) {
      Doubles sum[registers] = {};
      std::size_t j = (k + n - m) % n;
      for (std::size_t d = 0; d <= 2 * m; ++d) {
        const double* const set = in + j * size + from;
#pragma GCC unroll 8
        for (std::size_t r = 0; r < registers; ++r) sum[r] += share * load(set + r * block);
        j = j + 1 < n ? j + 1 : 0;
      }
      for (std::size_t r = 0; r < registers; ++r) store(sum[r], out + k * size + from + r * block);
    }
  }
}

}  // namespace

namespace PYICG_KERNEL_SET {
const ProfileKernels profile{edge, products, box};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
