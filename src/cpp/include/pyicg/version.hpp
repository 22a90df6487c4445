#pragma once

namespace pyicg {

// The version of this build, as stated in pyproject.toml.
const char* version() noexcept;

}  // namespace pyicg
