#include "border.hpp"

#include <array>

namespace pyicg::detail {
namespace {

// Counter-clockwise on the screen, from the right.
constexpr std::array<BorderPixel, 8> steps{{{0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1}, {1, 0}, {1, 1}}};
constexpr unsigned turn = 7;  // directions are counted modulo 8
constexpr unsigned right = 0;
constexpr unsigned left = 4;

bool same(const BorderPixel& a, const BorderPixel& b) { return a.y == b.y && a.x == b.x; }

}  // namespace

void follow_border(ImageView<const std::uint8_t> mask, BorderPixel start, BorderKind kind,
                   std::vector<BorderPixel>& border) {
  const auto neighbour = [](const BorderPixel& p, unsigned direction) {
    const BorderPixel& step = steps.at(direction & turn);
    return BorderPixel{p.y + step.y, p.x + step.x};
  };
  const auto belongs = [&](const BorderPixel& p) {
    const auto y = static_cast<std::size_t>(p.y);  // what is negative becomes large
    const auto x = static_cast<std::size_t>(p.x);
    return y < mask.height && x < mask.width && mask(y, x) != 0;
  };
  // Clockwise from the pixel outside to the first one that belongs: there the walk will end.
  unsigned towards = kind == BorderKind::outer ? left : right;
  unsigned tried = 0;
  do {
    towards = (towards - 1) & turn;
    ++tried;
  } while (tried < steps.size() && !belongs(neighbour(start, towards)));
  if (!belongs(neighbour(start, towards))) {
    border.push_back(start);
    return;
  }
  const BorderPixel last = neighbour(start, towards);
  BorderPixel here = start;
  while (true) {
    // Counter-clockwise from where we came from.
    unsigned next = towards + 1;
    while (!belongs(neighbour(here, next))) ++next;
    border.push_back(here);
    const BorderPixel there = neighbour(here, next);
    if (same(there, start) && same(here, last)) return;
    here = there;
    towards = next + left;  // back
  }
}

}  // namespace pyicg::detail
