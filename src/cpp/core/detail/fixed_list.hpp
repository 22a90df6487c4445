// A list of at most N small values, kept in place: no memory is asked for.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

namespace pyicg::detail {

template <class T, std::size_t N>
class FixedList {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  FixedList() = default;
  explicit FixedList(std::size_t n, T value = T{}) {
    for (std::size_t k = 0; k < n; ++k) push_back(value);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  T& operator[](std::size_t k) { return items_[k]; }
  const T& operator[](std::size_t k) const { return items_[k]; }
  [[nodiscard]] T* data() { return items_.data(); }
  [[nodiscard]] const T* data() const { return items_.data(); }
  [[nodiscard]] T* begin() { return items_.data(); }
  [[nodiscard]] const T* begin() const { return items_.data(); }
  [[nodiscard]] T* end() { return items_.data() + size_; }
  [[nodiscard]] const T* end() const { return items_.data() + size_; }
  void push_back(T value) { items_.at(size_++) = value; }
  // Keeps the first n.
  void shrink(std::size_t n) { size_ = n; }

 private:
  std::array<T, N> items_{};
  std::size_t size_ = 0;
};

}  // namespace pyicg::detail
