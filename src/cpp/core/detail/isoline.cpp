#include "isoline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace pyicg::detail {
namespace {

struct Step {
  std::ptrdiff_t y, x;
};
// +x, +y, -x, -y: who stands on a boundary that faces direction k and goes round by increasing angle walks towards
// k + 1.
constexpr std::array<Step, 4> steps{{{0, 1}, {1, 0}, {0, -1}, {-1, 0}}};

using Side = PixelSide;

class Region {
 public:
  Region(ImageView<const float> image, double level, bool below) : image_(image), level_(level), below_(below) {}

  [[nodiscard]] bool finite(std::ptrdiff_t y, std::ptrdiff_t x) const {
    return y >= 0 && x >= 0 && std::cmp_less(y, image_.height) && std::cmp_less(x, image_.width) &&
           std::isfinite(value(y, x));
  }
  [[nodiscard]] bool holds(std::ptrdiff_t y, std::ptrdiff_t x) const {
    return finite(y, x) && (value(y, x) < level_) == below_;
  }
  [[nodiscard]] double value(std::ptrdiff_t y, std::ptrdiff_t x) const {
    return image_(static_cast<std::size_t>(y), static_cast<std::size_t>(x));
  }

  // The next side along the boundary; `turn` gains one at a convex corner and loses one at a concave one.
  [[nodiscard]] Side next(const Side& s, int& turn) const {
    const std::size_t ahead = (s.facing + 1) % 4;
    const Side beside{s.y + steps[ahead].y, s.x + steps[ahead].x, s.facing};
    if (!holds(beside.y, beside.x)) {
      ++turn;
      return {s.y, s.x, ahead};
    }
    const Side corner{beside.y + steps[s.facing].y, beside.x + steps[s.facing].x, (s.facing + 3) % 4};
    if (!holds(corner.y, corner.x)) return beside;
    --turn;
    return corner;
  }

  // The last pixel of the region on the way from (y, x) towards +x.
  [[nodiscard]] Side exit(std::ptrdiff_t y, std::ptrdiff_t x) const {
    while (holds(y, x + 1)) ++x;
    return {y, x, 0};
  }

 private:
  ImageView<const float> image_;
  double level_;
  bool below_;
};

// The sides of the region's outer boundary, in order.
void find_outer_boundary(const Region& region, std::ptrdiff_t y, std::ptrdiff_t x, std::vector<Side>& sides) {
  Side start = region.exit(y, x);
  for (;;) {
    sides.clear();
    int turn = 0;
    Side s = start;
    do {
      sides.push_back(s);
      s = region.next(s, turn);
    } while (s != start);
    if (turn > 0) return;  // a boundary turns by +360 degrees, a hole's by -360
    // Go on from the far side of the hole; x grows every time, so this ends.
    const auto far =
        std::max_element(sides.begin(), sides.end(), [](const Side& a, const Side& b) { return a.x < b.x; });
    start = region.exit(far->y, far->x);
  }
}

}  // namespace

void outline(ImageView<const float> image, double level, std::size_t y, std::size_t x, std::vector<PixelSide>& sides,
             std::vector<Vertex>& line) {
  line.clear();
  if (y >= image.height || x >= image.width || !std::isfinite(image(y, x)) || !std::isfinite(level)) return;
  const Region region(image, level, static_cast<double>(image(y, x)) < level);
  find_outer_boundary(region, static_cast<std::ptrdiff_t>(y), static_cast<std::ptrdiff_t>(x), sides);
  for (const Side& s : sides) {
    const Step step = steps[s.facing];
    if (!region.finite(s.y + step.y, s.x + step.x)) {
      line.clear();
      return;
    }
    const double here = region.value(s.y, s.x);
    const double there = region.value(s.y + step.y, s.x + step.x);
    // Strictly between the centres: sides of one pixel whose value is the level would meet in one point.
    constexpr double least = 1e-6;
    const double share = std::clamp((level - here) / (there - here), least, 1 - least);
    line.push_back({static_cast<double>(s.y) + share * static_cast<double>(step.y),
                    static_cast<double>(s.x) + share * static_cast<double>(step.x)});
  }
}

}  // namespace pyicg::detail
