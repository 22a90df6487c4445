#include "pyicg/digest.hpp"

#include <string>

#include "array.hpp"
#include "rooms.hpp"

namespace pyicg::bindings {

void bind_digest(py::module_& m) {
  m.def(
      "digest",
      [](const std::string& title, const py::array& array) {
        if ((array.flags() & py::array::c_style) == 0) {
          throw Error(ErrorKind::input, "a digest is of a contiguous array, " + describe(array));
        }
        const std::span bytes(static_cast<const std::uint8_t*>(array.data()), static_cast<std::size_t>(array.nbytes()));
        Digest found{};
        {
          const py::gil_scoped_release release;
          found = digest(title, bytes);
        }
        return py::bytes(reinterpret_cast<const char*>(found.data()), found.size());
      },
      py::arg("title"), py::arg("array"));
}

}  // namespace pyicg::bindings
