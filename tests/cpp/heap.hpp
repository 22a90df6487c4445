// The global heap of a test: counted, and empty when asked for. Link heap.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace heap {

inline std::atomic<bool> counting = false;
inline std::atomic<std::size_t> allocations = 0;     // while counting
inline std::atomic<std::size_t> failing = SIZE_MAX;  // number of the allocation that fails, from 0
inline std::atomic<bool> for_good = false;           // and all after it

}  // namespace heap
