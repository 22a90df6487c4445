// A frame is a non-owning strided view: pointer, height, width, row stride in bytes. Rows may run backwards.
#pragma once

#include <cstddef>
#include <type_traits>

namespace pyicg {

template <class T>
struct ImageView {
  T* data = nullptr;
  std::size_t height = 0;
  std::size_t width = 0;
  std::ptrdiff_t stride_bytes = 0;  // from one row to the next; negative for a frame stored bottom up

  ImageView() = default;
  ImageView(T* data_, std::size_t height_, std::size_t width_, std::ptrdiff_t stride_bytes_)
      : data(data_), height(height_), width(width_), stride_bytes(stride_bytes_) {}
  ImageView(T* data_, std::size_t height_, std::size_t width_)
      : ImageView(data_, height_, width_, static_cast<std::ptrdiff_t>(width_ * sizeof(T))) {}

  // A view of mutable pixels reads as a view of constant ones.
  operator ImageView<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, height, width, stride_bytes};
  }

  [[nodiscard]] T* row(std::size_t y) const {
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(data) + static_cast<std::ptrdiff_t>(y) * stride_bytes);
  }
  T& operator()(std::size_t y, std::size_t x) const { return row(y)[x]; }
  [[nodiscard]] std::size_t size() const { return height * width; }
  [[nodiscard]] bool empty() const { return size() == 0; }
};

}  // namespace pyicg
