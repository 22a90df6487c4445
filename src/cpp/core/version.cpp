#include "pyicg/version.hpp"

namespace pyicg {

const char* version() noexcept { return PYICG_VERSION_STRING; }

}  // namespace pyicg
