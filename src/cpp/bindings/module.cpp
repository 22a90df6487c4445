#include <pybind11/pybind11.h>

#include <cstdlib>
#include <exception>
#include <string>

#include "pyicg/error.hpp"
#include "pyicg/instruction_set.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/version.hpp"
#include "rooms.hpp"

namespace py = pybind11;

namespace {

const char* error_class(pyicg::ErrorKind kind) {
  switch (kind) {
    case pyicg::ErrorKind::profile:
      return "ProfileError";
    case pyicg::ErrorKind::unit:
      return "UnitError";
    case pyicg::ErrorKind::input:
      break;
  }
  return "InputError";
}

void translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const pyicg::Error& error) {
    const py::object type = py::module_::import("pyicg.errors").attr(error_class(error.kind()));
    PyErr_SetString(type.ptr(), error.what());
  }
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "The C++ core of pyicg. Use the functions of the package: they document units and errors.";
  py::register_local_exception_translator(translate);
  m.def("version", &pyicg::version);
  // For tests: the narrower kernels on a machine that has wider ones.
  if (const char* set = std::getenv("PYICG_ISA")) pyicg::use_instruction_set(set);
  m.def("instruction_set", [] { return std::string(pyicg::instruction_set_name(pyicg::instruction_set())); });
  m.def("instruction_sets", [] {
    py::list names;
    for (const pyicg::InstructionSet set : pyicg::instruction_sets()) names.append(pyicg::instruction_set_name(set));
    return names;
  });
  m.def("reason_names", [] {
    py::tuple names(pyicg::reason_count);
    for (std::uint32_t r = 0; r < pyicg::reason_count; ++r) {
      names[r] = py::str(pyicg::reason_name(static_cast<pyicg::Reason>(r)));
    }
    return names;
  });
  pyicg::bindings::bind_calibrate(m);
  pyicg::bindings::bind_contrast(m);
  pyicg::bindings::bind_distance(m);
  pyicg::bindings::bind_frame_sums(m);
  pyicg::bindings::bind_residual(m);
  pyicg::bindings::bind_rim(m);
  pyicg::bindings::bind_scorer(m);
  pyicg::bindings::bind_statistics(m);
  pyicg::bindings::bind_threshold_rim(m);
}
