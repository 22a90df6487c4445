// Separable Gaussian blur of a float32 plane. Taps are summed in pairs of equal weight, so that a mirrored frame gives
// mirrored bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gaussian_rows.hpp"
#include "pyicg/image_view.hpp"

namespace pyicg::kernels {

// out may be the view in; sigma > 0. Borders repeat the edge pixel, taps reach 4 sigma. `scratch` is reused between
// calls.
void gaussian(ImageView<const float> in, double sigma, ImageView<float> out, std::vector<float>& scratch,
              const GaussianKernels& kernels = gaussian_kernels());

// The blur of scipy.ndimage.gaussian_filter(mode="mirror") and of OpenCV: the frame is mirrored about its edge pixels,
// taps reach 4 sigma rounded to whole pixels.
class MirroredGaussian {
 public:
  // sigma > 0
  explicit MirroredGaussian(double sigma, const GaussianKernels& kernels = gaussian_kernels());

  // Rows [y, y + gaussian_rows), as far as the frame has them, to those of `out`, which is no view of the frame.
  void rows(ImageView<const float> in, std::size_t y, ImageView<float> out, std::vector<float>& scratch) const;

 private:
  const GaussianKernels* kernels_;
  std::vector<float> taps_;
};

}  // namespace pyicg::kernels
