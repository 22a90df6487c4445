// Compiled once for each instruction set: see lanes.hpp.
// NOLINTBEGIN(modernize-avoid-c-arrays)
#include "block_rows.hpp"

#include "lanes.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const BlockKernels blocks;
}
namespace {

using Doubles = Lanes<double>;
constexpr auto together = static_cast<std::size_t>(lanes<double>);
constexpr std::size_t registers = 4 / together;  // of four numbers

// Every second number, as many as a register holds.
template <class T>
Lanes<T> every_second(const T* from) {
  if constexpr (sizeof(Lanes<T>) == 4 * sizeof(T)) {
    return Lanes<T>{from[0], from[2], from[4], from[6]};
  } else {
    return Lanes<T>{from[0], from[2]};
  }
}

// Calls one(k) for the parts that are no pairs, and four(k) for four pairs from k on.
template <class One, class Four>
void each_part(const Parts& p, const One& one, const Four& four) {
  std::size_t k = 0;
  for (; k < p.pairs_first; ++k) one(k);
  for (; k + 4 <= p.pairs_last; k += 4) four(k);
  for (; k < p.count; ++k) one(k);
}

void add_values(const double* values, const Parts& parts, double* n, double* sum, FourSums* squares) {
  const Parts p = parts;
  const std::size_t offset = p.edges[p.pairs_first] - 2 * p.pairs_first;  // modulo 2^64
  Doubles square_sums[registers];
  for (std::size_t r = 0; r < registers; ++r) square_sums[r] = load(squares->of + r * together);
  double rest = 0;
  const auto one = [&](std::size_t k) {
    for (std::size_t x = p.edges[k]; x < p.edges[k + 1]; ++x) {
      const double v = values[x];
      if (v != v) continue;
      n[k] += 1;
      sum[k] += v;
      rest += v * v;
    }
  };
  const auto four = [&](std::size_t first) {
    for (std::size_t r = 0; r < registers; ++r) {
      const std::size_t k = first + r * together;
      const Doubles a = every_second(values + (2 * k + offset));
      const Doubles b = every_second(values + (2 * k + offset + 1));
      const Doubles one_each = Doubles{} + 1.0;
      const Doubles da = a == a ? a : Doubles{};
      const Doubles db = b == b ? b : Doubles{};
      const Doubles na = a == a ? one_each : Doubles{};
      const Doubles nb = b == b ? one_each : Doubles{};
      store(load(n + k) + (na + nb), n + k);
      store(load(sum + k) + da + db, sum + k);
      square_sums[r] += da * da + db * db;
    }
  };
  each_part(p, one, four);
  for (std::size_t r = 0; r < registers; ++r) store(square_sums[r], squares->of + r * together);
  squares->of[0] += rest;
}

void add_blocks(const double* fine_n, const double* fine_sum, const Parts& parts, double* n, double* sum) {
  const Parts p = parts;
  const std::size_t offset = p.edges[p.pairs_first] - 2 * p.pairs_first;
  const auto one = [&](std::size_t k) {
    for (std::size_t x = p.edges[k]; x < p.edges[k + 1]; ++x) {
      n[k] += fine_n[x];
      sum[k] += fine_sum[x];
    }
  };
  const auto four = [&](std::size_t first) {
    for (std::size_t r = 0; r < registers; ++r) {
      const std::size_t k = first + r * together;
      const std::size_t x = 2 * k + offset;
      store(load(n + k) + every_second(fine_n + x) + every_second(fine_n + x + 1), n + k);
      store(load(sum + k) + every_second(fine_sum + x) + every_second(fine_sum + x + 1), sum + k);
    }
  };
  each_part(p, one, four);
}

// Adds of(k), of four numbers in turn.
template <class Vector, class Single>
void add_four(FourSums* sums, std::size_t count, const Vector& vector, const Single& single) {
  Doubles found[registers];
  for (std::size_t r = 0; r < registers; ++r) found[r] = load(sums->of + r * together);
  std::size_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (std::size_t r = 0; r < registers; ++r) found[r] += vector(k + r * together);
  }
  for (std::size_t r = 0; r < registers; ++r) store(found[r], sums->of + r * together);
  for (; k < count; ++k) sums->of[k % 4] += single(k);
}

void add_products(const double* a, const double* b, std::size_t count, FourSums* sums) {
  add_four(
      sums, count, [&](std::size_t k) { return load(a + k) * load(b + k); },
      [&](std::size_t k) { return a[k] * b[k]; });
}

void add_numbers(const double* a, std::size_t count, FourSums* sums) {
  add_four(sums, count, [&](std::size_t k) { return load(a + k); }, [&](std::size_t k) { return a[k]; });
}

void close(const double* n, const double* sum, std::size_t count, BlockTotals* totals) {
  add_numbers(n, count, &totals->n);
  add_numbers(sum, count, &totals->sum);
  add_products(n, n, count, &totals->n_n);
  add_products(n, sum, count, &totals->n_sum);
  add_products(sum, sum, count, &totals->sum_sum);
}

}  // namespace

namespace PYICG_KERNEL_SET {
const BlockKernels blocks{add_values, add_blocks, close};
}
}  // namespace pyicg::kernels
// NOLINTEND(modernize-avoid-c-arrays)
