// The hot loops are compiled once for each instruction set from one source, and the widest set that the processor has
// runs. All of them give the same bits.
#pragma once

#include <cstdint>
#include <string_view>

namespace pyicg {

enum class InstructionSet : std::uint8_t {
  baseline,  // what every processor of the architecture has: SSE2, NEON
  avx2,
};

// "baseline", "avx2".
std::string_view instruction_set_name(InstructionSet set) noexcept;

// Whether this build has kernels for the set, and this processor runs them.
bool runs(InstructionSet set) noexcept;

// The set in use.
InstructionSet instruction_set() noexcept;

// Another one for the whole process, by its name: for tests. Throws Error(input) for a name that is none, or a set that
// does not run here.
void use_instruction_set(std::string_view name);

}  // namespace pyicg
