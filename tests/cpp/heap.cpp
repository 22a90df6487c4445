#include "heap.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

// Room for the alignment, and before the block where it really begins: the same on every system.
void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (heap::counting) {
    const std::size_t number = heap::allocations++;
    if (number == heap::failing || (heap::for_good && number > heap::failing)) return nullptr;
  }
  const std::size_t lead = std::max(alignment, alignof(std::max_align_t));
  void* const begin = std::malloc(size + 2 * lead);
  if (begin == nullptr) return nullptr;
  const auto address = (reinterpret_cast<std::uintptr_t>(begin) + 2 * lead - 1) / lead * lead;
  auto* const block = reinterpret_cast<void**>(address);
  block[-1] = begin;
  return block;
}
void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* const block = allocate(size, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void release(void* block) noexcept {
  if (block != nullptr) std::free(static_cast<void**>(block)[-1]);
}
std::size_t number(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size, 0); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, 0); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate_or_throw(size, number(a)); }
void* operator new[](std::size_t size, std::align_val_t a) { return allocate_or_throw(size, number(a)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, number(a));
}
void* operator new[](std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, number(a));
}
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept { release(block); }
