// The hot loops are compiled once for each instruction set from one source, and the widest set that the processor has
// runs. All of them give the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace pyicg {

enum class InstructionSet : std::uint8_t {
  baseline,  // what every processor of the architecture has: SSE2, NEON
  avx2,
  avx512,  // F, BW, DQ and VL; most kernels gain nothing from it and are those of avx2
};

// "baseline", "avx2", "avx512".
std::string_view instruction_set_name(InstructionSet set) noexcept;

// Whether this build has kernels for the set, and this processor runs them.
bool runs(InstructionSet set) noexcept;

// Those for which runs() holds, from the narrowest to the widest.
std::span<const InstructionSet> instruction_sets() noexcept;

// The set in use.
InstructionSet instruction_set() noexcept;

// Another one for the whole process, by its name: for tests. Throws Error(input) for a name that is none, or a set that
// does not run here.
void use_instruction_set(std::string_view name);

}  // namespace pyicg
