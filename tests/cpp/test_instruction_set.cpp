#include "pyicg/instruction_set.hpp"

#include <string>

#include "check.hpp"
#include "kernels/lane_count.hpp"

using pyicg::InstructionSet;

namespace {

void registers_of_each_build() {
  check::equal(pyicg::kernels::register_bytes(InstructionSet::baseline), std::size_t{16});
#ifdef __x86_64__
  check::equal(pyicg::kernels::register_bytes(InstructionSet::avx2), std::size_t{32});
#endif
}

void the_widest_runs_unless_told_otherwise() {
  check::is_true(pyicg::runs(InstructionSet::baseline), "the baseline runs anywhere");
  const InstructionSet widest = pyicg::runs(InstructionSet::avx2) ? InstructionSet::avx2 : InstructionSet::baseline;
  check::same(pyicg::instruction_set(), widest);
  pyicg::use_instruction_set("baseline");
  check::same(pyicg::instruction_set(), InstructionSet::baseline);
  check::throws(pyicg::ErrorKind::input, [] { pyicg::use_instruction_set("avx1024"); });
  check::same(pyicg::instruction_set(), InstructionSet::baseline);
  pyicg::use_instruction_set(pyicg::instruction_set_name(widest));
  check::same(pyicg::instruction_set(), widest);
}

}  // namespace

int main() {
  registers_of_each_build();
  the_widest_runs_unless_told_otherwise();
  return check::result();
}
