#include "core/detail/trace_rim.hpp"

#include <cmath>

#include "check.hpp"
#include "core/detail/traced_lesion.hpp"
#include "scene.hpp"

using namespace pyicg;
using namespace pyicg::detail;
using scene::Annulus;
using scene::Image;
using scene::Mask;

namespace {

constexpr TraceOptions options{
    .cut = 1.5, .outside = 1, .psf_sigma_px = pyicg::nan, .smooth_px = 1, .invalid = mask_bad};

RimCandidate at(double y, double x, double radius) { return {y, x, radius, 1, true, 1}; }

// Two rims side by side.
Image two_rims() {
  Image image = scene::annulus(110, 190, {45, 50, 14, 22, 0.8, 3}, 1);
  const Image other = scene::annulus(110, 190, {60, 130, 16, 26, 0.8, 4}, 1);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] += other.pixels[i] - 1;
  return image;
}

void found_before() {
  const Image image = two_rims();
  const Mask mask(image.height, image.width);
  TraceBuffers buffers;
  RimTracer tracer(image.view(), mask.view(), options, buffers);
  auto* const left = tracer.settle(at(46, 48, 10));
  auto* const right = tracer.settle(at(60, 131, 12));
  check::is_true(left != nullptr && right != nullptr, "both rims are found");
  if (left == nullptr || right == nullptr) return;
  auto* const again = tracer.settle(at(43, 52, 13));
  check::is_true(again != nullptr, "and the first from elsewhere in its core");
  const RimTrace* const trace = tracer.trace(left);
  check::is_true(trace != nullptr, "the left rim is traced");
  if (trace == nullptr) return;
  check::near(trace->fit.inner.radius.front(), 14, 0.05);
  check::is_true(leads_to(*left, *trace) && leads_to(*again, *trace), "its own searches lead to it");
  check::is_true(!leads_to(*right, *trace), "that of its neighbour does not");
}

// Less than a fifth of the light that a rim needs at least.
void too_faint() {
  const Image image = scene::annulus(90, 90, {45, 45, 15, 23, 0.9, 1.06}, 1);
  const Mask mask(image.height, image.width);
  TraceBuffers buffers;
  RimTracer tracer(image.view(), mask.view(), options, buffers);
  auto* const settled = tracer.settle(at(45, 45, 14));
  check::is_true(settled != nullptr, "a faint step is found");
  if (settled == nullptr) return;
  Background background;
  background.level = 1;
  RimOptions o;
  o.sbr_cut = 1.5;
  check::is_true(!may_glow(*settled, background, o), "too faint for a cut of 1.5");
  o.sbr_cut = 1.2;
  check::is_true(may_glow(*settled, background, o), "not for one of 1.2");
}

}  // namespace

int main() {
  found_before();
  too_faint();
  return check::result();
}
