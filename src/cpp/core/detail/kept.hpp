// Values and lists that keep their memory when they are emptied: what holds vectors, and is filled anew for each frame.
#pragma once

#include <cstddef>
#include <deque>

namespace pyicg::detail {

// Like std::optional, but the value stays.
template <class T>
class KeptValue {
 public:
  explicit operator bool() const { return set_; }
  const T& operator*() const { return value_; }
  const T* operator->() const { return &value_; }
  void reset() { set_ = false; }
  // The value as it was, to be filled.
  T& renew() {
    set_ = true;
    return value_;
  }

 private:
  T value_{};
  bool set_ = false;
};

// Elements have addresses that stay.
template <class T>
class KeptList {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] auto begin() { return items_.begin(); }
  [[nodiscard]] auto end() { return items_.begin() + static_cast<std::ptrdiff_t>(size_); }
  T& operator[](std::size_t k) { return items_[k]; }
  // One more, as it was when it was last in use.
  T& next() {
    if (size_ == items_.size()) items_.emplace_back();
    return items_[size_++];
  }
  void drop_last() { --size_; }
  void clear() { size_ = 0; }

 private:
  std::deque<T> items_;
  std::size_t size_ = 0;
};

}  // namespace pyicg::detail
