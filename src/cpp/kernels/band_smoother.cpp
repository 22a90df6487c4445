// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "band_smoother.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const SmootherKernels smoother;
}
namespace {

constexpr std::size_t band = smoother_band;
constexpr std::size_t elements = band + 1;  // of a row: [d] is (i, i - d)

// As folded(), which other sources share.
std::size_t place(std::size_t k, std::size_t n) { return 2 * k < n ? 2 * k : 2 * (n - 1 - k) + 1; }

// Several stiffnesses, as many registers: enough to keep the processor busy while one waits for its own last result.
template <class Value, std::size_t registers, std::size_t width>
struct Many {
  using Bits = std::conditional_t<width == 1, std::int64_t, IndexLanes<double>>;
  static constexpr std::size_t size = registers * width;

  Value v[registers];

  template <class Step>
  static void each(const Step& step) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < registers; ++r) step(r);
  }
  static Many read(const double* from) {
    Many many;
    each([&](std::size_t r) { __builtin_memcpy(&many.v[r], from + r * width, sizeof(Value)); });
    return many;
  }
  static Many all(double value) {
    Many many{};
    each([&](std::size_t r) { many.v[r] += value; });
    return many;
  }
  void write(double* to) const {
    each([&](std::size_t r) { __builtin_memcpy(to + r * width, &v[r], sizeof(Value)); });
  }
  Many& operator+=(const Many& other) {
    each([&](std::size_t r) { v[r] += other.v[r]; });
    return *this;
  }
  Many& operator-=(const Many& other) {
    each([&](std::size_t r) { v[r] -= other.v[r]; });
    return *this;
  }
  Many& operator*=(const Many& other) {
    each([&](std::size_t r) { v[r] *= other.v[r]; });
    return *this;
  }
  Many& operator/=(const Many& other) {
    each([&](std::size_t r) { v[r] /= other.v[r]; });
    return *this;
  }
  friend Many operator+(Many a, const Many& b) { return a += b; }
  friend Many operator*(Many a, const Many& b) { return a *= b; }
  friend Many operator/(Many a, const Many& b) { return a /= b; }
};

// The matrix, each element summed in the order of the differences that it takes part in.
template <class M>
void assemble(const SmootherInput& in, const M& stiffness, double* rows) {
  const std::size_t n = in.n;
  constexpr double difference[4] = {1, -3, 3, -1};
  const M zero = M::all(0);
  for (std::size_t e = 0; e < n * elements; ++e) zero.write(rows + e * M::size);
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t apart = 0; apart <= 3; ++apart) {
      M sum = zero;
      for (std::size_t i = 0; i + apart <= 3; ++i) {
        // The difference that begins `a` samples before k; those before sample 0 come last.
        const std::size_t last = 3 - apart;
        const std::size_t a = k >= last ? last - i : (i <= k ? k - i : last + k + 1 - i);
        if (apart == 0 && a == 0) sum += M::all(in.weights[k]);
        sum += stiffness * M::all(difference[a]) * M::all(difference[a + apart]);
      }
      const std::size_t p = place(k, n);
      const std::size_t q = place((k + apart) % n, n);
      sum.write(rows + (p > q ? p * elements + p - q : q * elements + q - p) * M::size);
    }
  }
}

// Element (row, row - d) of a band of elements.
template <class M, class T>
T* element(T* rows, std::size_t row, std::size_t d) {
  return rows + (row * elements + d) * M::size;
}

// LDL^T in place.
template <class M>
void factor(std::size_t n, double* rows) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t most = i < band ? i : band;
    for (std::size_t d = most; d > 0; --d) {
      M value = M::read(element<M>(rows, i, d));
      for (std::size_t e = d + 1; e <= most; ++e) {
        value -= M::read(element<M>(rows, i, e)) * M::read(element<M>(rows, i - d, e - d)) *
                 M::read(element<M>(rows, i - e, 0));
      }
      value /= M::read(element<M>(rows, i - d, 0));
      value.write(element<M>(rows, i, d));
    }
    M pivot = M::read(element<M>(rows, i, 0));
    for (std::size_t d = 1; d <= most; ++d) {
      const M value = M::read(element<M>(rows, i, d));
      pivot -= value * value * M::read(element<M>(rows, i - d, 0));
    }
    pivot.write(element<M>(rows, i, 0));
  }
}

// x, the right-hand side, becomes the solution.
template <class M>
void substitute(std::size_t n, const double* rows, double* x) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t most = i < band ? i : band;
    M value = M::read(x + i * M::size);
    for (std::size_t d = 1; d <= most; ++d) {
      value -= M::read(element<M>(rows, i, d)) * M::read(x + (i - d) * M::size);
    }
    value.write(x + i * M::size);
  }
  for (std::size_t i = n; i-- > 0;) {
    const std::size_t most = n - 1 - i < band ? n - 1 - i : band;
    M value = M::read(x + i * M::size) / M::read(element<M>(rows, i, 0));
    for (std::size_t d = 1; d <= most; ++d) {
      value -= M::read(element<M>(rows, i + d, d)) * M::read(x + (i + d) * M::size);
    }
    value.write(x + i * M::size);
  }
}

// Product of the pivots; not a number where one is not positive.
template <class M>
void determinant(std::size_t n, const double* rows, const SmootherOutput& out) {
  using Bits = M::Bits;
  constexpr std::int64_t fraction = 0xfffffffffffff;
  constexpr std::int64_t one = 0x3ff0000000000000;
  M product = M::all(1);
  Bits exponents[sizeof(M) / sizeof(Bits)] = {};
  const auto split = [&](auto& value, Bits& exponent) {
    Bits bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    exponent += (bits >> 52) - 1023;
    bits = (bits & fraction) | one;
    __builtin_memcpy(&value, &bits, sizeof(bits));
  };
  const M invalid = M::all(__builtin_nan(""));
  for (std::size_t i = 0; i < n; ++i) {
    M pivot = M::read(element<M>(rows, i, 0));
    M::each([&](std::size_t r) {
      const auto positive = pivot.v[r] > 0;
      split(pivot.v[r], exponents[r]);
      product.v[r] *= positive ? pivot.v[r] : invalid.v[r];
      if (i % 512 == 511) split(product.v[r], exponents[r]);
    });
  }
  product.write(out.mantissas);
  __builtin_memcpy(out.exponents, exponents, sizeof(exponents));
}

template <class M>
void solve_all(const SmootherInput& in, const double* stiffness, const SmootherOutput& out) {
  assemble(in, M::read(stiffness), out.factors);
  factor<M>(in.n, out.factors);
  determinant<M>(in.n, out.factors, out);
  for (std::size_t k = 0; k < in.n; ++k) M::all(in.pulls[k]).write(out.solution + place(k, in.n) * M::size);
  substitute<M>(in.n, out.factors, out.solution);
}

// The inverse within the band, from its end on (Takahashi, Fagan and Chin, 1973): [d] is (i, i + d).
template <class M>
void invert_band(std::size_t n, const double* rows, double* inverse) {
  for (std::size_t i = n; i-- > 0;) {
    const std::size_t most = n - 1 - i < band ? n - 1 - i : band;
    M pivot = M::all(1) / M::read(element<M>(rows, i, 0));
    for (std::size_t e = 1; e <= most; ++e) {
      M value = M::all(0);
      for (std::size_t d = 1; d <= most; ++d) {
        value -= M::read(element<M>(rows, i + d, d)) *
                 M::read(e >= d ? element<M>(inverse, i + d, e - d) : element<M>(inverse, i + e, d - e));
      }
      value.write(element<M>(inverse, i, e));
      pivot -= M::read(element<M>(rows, i + e, e)) * value;
    }
    pivot.write(element<M>(inverse, i, 0));
  }
}

using Lane = Many<Lanes<double>, smoother_lanes / lanes<double>, lanes<double>>;

void solve(const SmootherInput& in, const double* stiffness, const SmootherOutput& out) {
  solve_all<Lane>(in, stiffness, out);
}

void solve_one(const SmootherInput& in, const double* stiffness, const SmootherOutput& out) {
  solve_all<Many<double, 1, 1>>(in, stiffness, out);
}

void invert(std::size_t n, const double* factors, double* inverse, double* diagonal, double* sums) {
  invert_band<Lane>(n, factors, inverse);
  for (std::size_t i = 0; i < n; ++i) {
    Lane::read(element<Lane>(inverse, i, 0)).write(diagonal + i * Lane::size);
    Lane::all(1).write(sums + i * Lane::size);
  }
  substitute<Lane>(n, factors, sums);
}

}  // namespace

namespace PYICG_KERNEL_SET {
const SmootherKernels smoother{solve, solve_one, invert};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
