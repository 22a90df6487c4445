// Separable Gaussian blur of a float32 plane. Borders repeat the edge pixel. Taps reach 4 sigma and are summed in pairs
// of equal weight, so that a mirrored frame gives mirrored bits.
#pragma once

#include <vector>

#include "gaussian_rows.hpp"
#include "pyicg/image_view.hpp"

namespace pyicg::kernels {

// out may be the view in; sigma > 0. `scratch` is reused between calls.
void gaussian(ImageView<const float> in, double sigma, ImageView<float> out, std::vector<float>& scratch,
              const GaussianKernels& kernels = gaussian_kernels());

}  // namespace pyicg::kernels
