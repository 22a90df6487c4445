#include "pyicg/instruction_set.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <string>

#include "pyicg/error.hpp"

namespace pyicg {
namespace {

std::atomic<InstructionSet>& in_use() {
  static std::atomic<InstructionSet> set{instruction_sets().back()};
  return set;
}

}  // namespace

std::string_view instruction_set_name(InstructionSet set) noexcept {
  if (set == InstructionSet::avx512) return "avx512";
  return set == InstructionSet::avx2 ? "avx2" : "baseline";
}

bool runs(InstructionSet set) noexcept {
#ifdef PYICG_AVX512
  if (set == InstructionSet::avx512) {
    return runs(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") != 0 &&
           __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
           __builtin_cpu_supports("avx512vl") != 0;
  }
#endif
#ifdef PYICG_AVX2
  if (set == InstructionSet::avx2) return __builtin_cpu_supports("avx2") != 0;
#endif
  return set == InstructionSet::baseline;
}

std::span<const InstructionSet> instruction_sets() noexcept {
  static constexpr std::array<InstructionSet, 3> all{InstructionSet::baseline, InstructionSet::avx2,
                                                     InstructionSet::avx512};
  return {all.begin(), std::ranges::find_if_not(all, runs)};
}

InstructionSet instruction_set() noexcept { return in_use().load(std::memory_order_relaxed); }

void use_instruction_set(std::string_view name) {
  std::string found;
  for (const InstructionSet set : instruction_sets()) {
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
