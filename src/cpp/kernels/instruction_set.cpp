#include "pyicg/instruction_set.hpp"

#include <array>
#include <atomic>
#include <string>

#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr std::array sets{InstructionSet::baseline, InstructionSet::avx2};  // from the narrowest to the widest

InstructionSet widest() {
  InstructionSet found = InstructionSet::baseline;
  for (const InstructionSet set : sets) {
    if (runs(set)) found = set;
  }
  return found;
}

std::atomic<InstructionSet>& in_use() {
  static std::atomic<InstructionSet> set{widest()};
  return set;
}

}  // namespace

std::string_view instruction_set_name(InstructionSet set) noexcept {
  return set == InstructionSet::avx2 ? "avx2" : "baseline";
}

bool runs(InstructionSet set) noexcept {
#ifdef PYICG_AVX2
  if (set == InstructionSet::avx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return set == InstructionSet::baseline;
}

InstructionSet instruction_set() noexcept { return in_use().load(std::memory_order_relaxed); }

void use_instruction_set(std::string_view name) {
  std::string found;
  for (const InstructionSet set : sets) {
    if (!runs(set)) continue;
    if (name == instruction_set_name(set)) {
      in_use().store(set, std::memory_order_relaxed);
      return;
    }
    found += (found.empty() ? "" : ", ") + std::string(instruction_set_name(set));
  }
  throw Error(ErrorKind::input,
              "there is no instruction set \"" + std::string(name) + "\" here; this machine runs " + found);
}

}  // namespace pyicg
