// What the core throws. The C ABI turns these into status codes, the Python bindings into Python's typed errors.
#pragma once

#include <stdexcept>
#include <string>

namespace pyicg {

enum class ErrorKind { input, profile, unit };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace pyicg
