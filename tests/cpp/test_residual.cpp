#include "pyicg/residual.hpp"

#include "check.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

struct Scene {
  Image image{60, 80, 1};
  Mask mask{60, 80};
  RimWorkspace ws;

  void square(std::size_t y, std::size_t x, std::size_t side, float value, std::uint8_t bits = 0) {
    for (std::size_t i = y; i < y + side; ++i) {
      for (std::size_t k = x; k < x + side; ++k) {
        image(i, k) = value;
        mask(i, k) = bits;
      }
    }
  }
  Residual at(double cut, double min_area_px = 64) {
    Background background;
    background.level = 1;
    background.sigma = 0;
    smooth_frame(image.view(), mask.view(), 1, ws);
    return residual_fluorescence(mask.view(), background, cut, min_area_px, 1, ws);
  }
};

// By peak; of equal peaks the region whose first pixel comes first.
void ranks() {
  Scene s;
  s.square(40, 10, 10, 3);
  s.square(10, 60, 10, 3);
  s.square(40, 40, 12, 4);
  s.square(10, 10, 10, 3);
  const Residual r = s.at(1.5);
  check::equal(r.hot_spots.size(), 4U);
  check::near(r.hot_spots[0].peak_sbr, 4, 1e-5);
  check::equal(r.hot_spots[1].peak_sbr, r.hot_spots[2].peak_sbr);
  check::equal(r.hot_spots[2].peak_sbr, r.hot_spots[3].peak_sbr);
  // The first pixel of the flat top, four pixels of the kernel inside the corner.
  check::equal(r.hot_spots[1].peak_y, 14.0);
  check::equal(r.hot_spots[1].peak_x, 14.0);
  check::equal(r.hot_spots[2].peak_x, 64.0);
  check::equal(r.hot_spots[3].peak_y, 44.0);
  for (const HotSpot& h : r.hot_spots) check::is_true(!h.saturated, "nothing saturated");
}

void saturation() {
  Scene s;
  s.square(10, 10, 16, 3);
  s.square(14, 14, 4, 3, mask_saturated);
  s.square(40, 40, 16, 2);
  Residual r = s.at(1.5);
  check::is_true(r.hot_spots.at(0).saturated && !r.hot_spots.at(1).saturated, "the brighter one is a lower bound");
  check::is_true(r.sign, "a sign");
  r = s.at(4);
  check::is_true(!r.sign && !r.saturated, "a negative");  // sixteen clipped pixels are too few

  // Clipped under the cut, beside a region that is too small without it.
  Scene beside;
  beside.square(20, 20, 7, 2);
  r = beside.at(1.5, 80);
  check::is_true(!r.sign && !r.saturated, "a negative");
  beside.square(20, 27, 7, 1.3F, mask_saturated);
  r = beside.at(1.5, 80);
  check::equal(r.hot_spots.size(), 0U);
  check::is_true(!r.sign && r.saturated, "no sign and no negative");
}

void excluded() {
  Scene s;
  s.square(10, 10, 20, 3);
  const double whole = s.at(1.5).area_px;
  for (std::size_t y = 0; y < 60; ++y) {
    for (std::size_t x = 20; x < 80; ++x) s.mask(y, x) = mask_excluded;
  }
  const Residual r = s.at(1.5);
  check::equal(2 * r.area_px, whole);
  Mask marked(60, 80);
  mark_residual(64, marked.view(), s.ws);
  for (std::size_t y = 0; y < 60; ++y) check::equal(marked(y, 20), std::uint8_t{0});
  check::equal(marked(20, 15), std::uint8_t{1});
  Scene clipped;
  clipped.square(10, 10, 20, 3, mask_excluded | mask_saturated);
  check::is_true(!clipped.at(1.5).saturated, "what is excluded does not count");
}

}  // namespace

int main() {
  ranks();
  saturation();
  excluded();
  return check::result();
}
