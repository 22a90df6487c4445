// The only place that knows numpy: arrays in as strided views, never copied, cast or byte-swapped.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg::bindings {

namespace py = pybind11;

inline std::string describe(const py::array& array) {
  return "found " + std::string(py::str(array.dtype())) + " of shape " + std::string(py::str(array.attr("shape")));
}

inline void require_2d(const py::array& array, const char* name) {
  if (array.ndim() != 2 || array.size() == 0) {
    throw Error(ErrorKind::input, std::string(name) + " must be a 2-D array of at least one pixel, " + describe(array));
  }
  const auto address = reinterpret_cast<std::uintptr_t>(array.data());
  const auto item = static_cast<std::size_t>(array.itemsize());
  const bool packed = array.shape(1) == 1 || array.strides(1) == array.itemsize();
  if (!packed || address % item != 0 || array.strides(0) % static_cast<py::ssize_t>(item) != 0) {
    throw Error(ErrorKind::input, std::string(name) +
                                      " must have its columns side by side in memory and aligned (rows may have any "
                                      "stride); use numpy.ascontiguousarray");
  }
}

template <class T>
ImageView<const T> view_2d(const py::array& array, const char* name) {
  require_2d(array, name);
  if (!py::isinstance<py::array_t<T>>(array)) {
    throw Error(ErrorKind::input, std::string(name) + " must be " + std::string(py::str(py::dtype::of<T>())) +
                                      " in native byte order, " + describe(array));
  }
  return {static_cast<const T*>(array.data()), static_cast<std::size_t>(array.shape(0)),
          static_cast<std::size_t>(array.shape(1)), static_cast<std::ptrdiff_t>(array.strides(0))};
}

// A view with a null pointer where Python passed None.
template <class T>
ImageView<const T> optional_view_2d(const py::object& object, const char* name) {
  if (object.is_none()) return {};
  return view_2d<T>(object.cast<py::array>(), name);
}

template <class T>
ImageView<T> mutable_view_2d(py::array_t<T>& array, const char* name) {
  const ImageView<const T> view = view_2d<T>(array, name);
  return {array.mutable_data(), view.height, view.width, view.stride_bytes};  // mutable_data raises when read-only
}

inline RawFrame raw_frame(const py::array& array) {
  require_2d(array, "frame");
  if (py::isinstance<py::array_t<std::uint8_t>>(array)) return view_2d<std::uint8_t>(array, "frame");
  if (py::isinstance<py::array_t<std::uint16_t>>(array)) return view_2d<std::uint16_t>(array, "frame");
  if (py::isinstance<py::array_t<float>>(array)) return view_2d<float>(array, "frame");
  throw Error(ErrorKind::input, "frame must be uint8, uint16 or float32 in native byte order, " + describe(array) +
                                    "; convert it openly, for example with frame.astype(\"float32\")");
}

template <class T>
py::array_t<T> new_array(std::size_t height, std::size_t width) {
  return py::array_t<T>({static_cast<py::ssize_t>(height), static_cast<py::ssize_t>(width)});
}

// A copy of `count` values as a numpy array of the shape told.
template <class To, class From>
py::array_t<To> copy_array(const From* data, std::size_t height, std::size_t width) {
  auto array = new_array<To>(height, width);
  std::copy(data, data + height * width, array.mutable_data());
  return array;
}

// (value, sigma, (lo, hi), reason or None): what pyicg.results.Measurement is made of.
inline py::tuple to_python(const Measurement& m) {
  const py::object reason =
      m.reason == Reason::none ? py::object(py::none()) : py::object(py::str(reason_name(m.reason)));
  return py::make_tuple(m.value, m.sigma, py::make_tuple(m.lo, m.hi), reason);
}

inline Reason reason_of(const std::string& name) {
  for (std::uint32_t r = 0; r < reason_count; ++r) {
    if (name == reason_name(static_cast<Reason>(r))) return static_cast<Reason>(r);
  }
  throw Error(ErrorKind::input, "unknown reason code \"" + name + "\"");
}

inline py::object reason_or_none(Reason reason) {
  return reason == Reason::none ? py::object(py::none()) : py::object(py::str(reason_name(reason)));
}

}  // namespace pyicg::bindings
