#include "pyicg/instruction_set.hpp"

#include <string>

#include "check.hpp"
#include "kernels/distance_lines.hpp"
#include "kernels/gaussian_rows.hpp"
#include "kernels/lane_count.hpp"
#include "kernels/tile_rows.hpp"

using pyicg::InstructionSet;

namespace {

void registers_of_each_build() {
  check::equal(pyicg::kernels::register_bytes(InstructionSet::baseline), std::size_t{16});
#ifdef __x86_64__
  check::equal(pyicg::kernels::register_bytes(InstructionSet::avx2), std::size_t{32});
#endif
#ifdef PYICG_AVX512
  check::equal(pyicg::kernels::register_bytes(InstructionSet::avx512), std::size_t{64});
#endif
}

void kernels_of_avx512() {
  constexpr auto own = [](auto& kernels) { return &kernels(InstructionSet::avx512) != &kernels(InstructionSet::avx2); };
#ifdef PYICG_AVX512
  check::is_true(own(pyicg::kernels::gaussian_kernels), "a blur of its own");
  check::is_true(own(pyicg::kernels::distance_kernels), "a distance transform of its own");
#endif
  check::is_true(!own(pyicg::kernels::tile_kernels), "and the others of AVX2");
}

void the_widest_runs_unless_told_otherwise() {
  check::is_true(pyicg::runs(InstructionSet::baseline), "the baseline runs anywhere");
  check::same(pyicg::instruction_sets().front(), InstructionSet::baseline);
  const InstructionSet widest = pyicg::instruction_sets().back();
  for (const InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512}) {
    check::same(pyicg::runs(set), set <= widest);
  }
  check::same(pyicg::instruction_set(), widest);
  for (const InstructionSet set : pyicg::instruction_sets()) {
    pyicg::use_instruction_set(pyicg::instruction_set_name(set));
    check::same(pyicg::instruction_set(), set);
  }
  pyicg::use_instruction_set("baseline");
  check::throws(pyicg::ErrorKind::input, [] { pyicg::use_instruction_set("avx1024"); });
  check::same(pyicg::instruction_set(), InstructionSet::baseline);
  if (!pyicg::runs(InstructionSet::avx512)) {
    check::throws(pyicg::ErrorKind::input, [] { pyicg::use_instruction_set("avx512"); });
  }
}

}  // namespace

int main() {
  registers_of_each_build();
  kernels_of_avx512();
  the_widest_runs_unless_told_otherwise();
  return check::result();
}
