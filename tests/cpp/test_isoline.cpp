#include "core/detail/isoline.hpp"

#include <limits>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using pyicg::Vertex;
using scene::Image;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<Vertex> outline(pyicg::ImageView<const float> image, double level, std::size_t y, std::size_t x) {
  std::vector<pyicg::detail::PixelSide> sides;
  std::vector<Vertex> line;
  pyicg::detail::outline(image, level, y, x, sides, line);
  return line;
}

// Positive where the vertices run from +x towards +y.
double area(const std::vector<Vertex>& line) {
  double twice = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const Vertex& a = line[i];
    const Vertex& b = line[(i + 1) % line.size()];
    twice += a.x * b.y - b.x * a.y;
  }
  return 0.5 * twice;
}

std::size_t repeats(const std::vector<Vertex>& line) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) n += line[i].y == line[k].y && line[i].x == line[k].x;
  }
  return n;
}

Image flat(const Image& like, float value) { return {like.height, like.width, value}; }

// The half level of a blurred disc lies where its own profile says.
void disc() {
  constexpr double cy = 40.3;
  constexpr double cx = 39.6;
  const scene::BlurredDisc profile(20, 1.5);
  double radius = 20;
  for (int i = 0; i < 30; ++i) radius += std::ldexp(profile(radius) > 0.5 ? 1.0 : -1.0, -i);  // bisection
  Image bright(80, 80);
  Image dark(80, 80);
  for (std::size_t y = 0; y < 80; ++y) {
    for (std::size_t x = 0; x < 80; ++x) {
      const double value = profile(std::hypot(static_cast<double>(y) - cy, static_cast<double>(x) - cx));
      bright(y, x) = static_cast<float>(value);
      dark(y, x) = static_cast<float>(1 - value);
    }
  }
  for (const Image& image : {bright, dark}) {
    const auto line = outline(image.view(), 0.5, 40, 40);
    check::is_true(line.size() > 140, "a vertex per grid edge crossed");
    check::equal(repeats(line), 0U);
    for (const Vertex& v : line) check::near(std::hypot(v.y - cy, v.x - cx), radius, 1e-2);
    check::near(area(line), std::numbers::pi * radius * radius, 1.0);
  }
  // From any pixel of the region, and from rows stored bottom up, the same line.
  const scene::BottomUp upside(bright);
  check::near(area(outline(upside.view(), 0.5, 40, 40)), area(outline(bright.view(), 0.5, 55, 40)), 1e-12);
}

void one_pixel() {
  Image image(5, 5);
  image(2, 3) = 4;
  const auto line = outline(image.view(), 1, 2, 3);
  const std::vector<Vertex> expected{{2, 3.75}, {2.75, 3}, {2, 2.25}, {1.25, 3}};
  check::equal(line.size(), 4U);
  for (std::size_t i = 0; i < std::min<std::size_t>(line.size(), 4); ++i) {
    check::near(line[i].y, expected[i].y, 1e-15);
    check::near(line[i].x, expected[i].x, 1e-15);
  }
  check::near(area(line), 2 * 0.75 * 0.75, 1e-12);
}

// A square with holes in the way of the search, one of them with an island: the line is that of the full square.
void holes() {
  Image full(20, 30);
  for (std::size_t y = 3; y < 17; ++y) {
    for (std::size_t x = 3; x < 27; ++x) full(y, x) = 2;
  }
  Image holed = full;
  for (std::size_t y = 6; y < 14; ++y) {
    for (std::size_t x = 6; x < 13; ++x) holed(y, x) = 0;
  }
  holed(10, 9) = 2;
  holed(10, 16) = holed(11, 17) = holed(10, 18) = 0;
  holed(10, 22) = not_a_number;
  const auto expected = outline(full.view(), 1, 10, 4);
  const auto line = outline(holed.view(), 1, 10, 4);
  check::near(area(expected), 24 * 14 - 0.5, 1e-12);  // half a pixel beyond the outermost centres, corners cut
  check::equal(line.size(), expected.size());
  check::near(area(line), area(expected), 1e-12);
  // The holes have lines of their own, and so has the island.
  check::near(area(outline(holed.view(), 1, 7, 7)), 7 * 8 - 0.5, 1e-12);
  check::near(area(outline(holed.view(), 1, 10, 9)), 0.5, 1e-12);
  check::equal(outline(holed.view(), 1, 10, 22).size(), 0U);
}

// Corners that alternate: neither side's region reaches its twin through the cell.
void saddle() {
  Image image(4, 4);
  image(1, 1) = image(2, 2) = 2;
  const auto line = outline(image.view(), 1, 1, 1);
  check::equal(line.size(), 4U);
  check::near(area(line), 0.5, 1e-12);
  const Image low = [&] {
    Image turned = flat(image, 2);
    turned(1, 1) = turned(2, 2) = 0;
    return turned;
  }();
  check::near(area(outline(low.view(), 1, 2, 2)), 0.5, 1e-12);
  // Two arms that meet at a saddle, joined elsewhere: the line goes round both, and keeps them apart there.
  Image ring(6, 6);
  for (std::size_t i = 1; i < 5; ++i) ring(1, i) = ring(4, i) = ring(i, 1) = ring(i, 4) = 2;
  ring(4, 4) = 0;
  const auto arms = outline(ring.view(), 1, 1, 1);
  check::equal(repeats(arms), 0U);
  const auto hole = outline(ring.view(), 1, 2, 2);
  check::near(area(arms) + area(hole), area(arms) + 4 - 0.5, 1e-12);
}

// Pixels exactly on the level are not below it; the line stays simple.
void on_the_level() {
  Image image(5, 7);
  for (std::size_t x = 1; x < 6; ++x) image(2, x) = 1;
  const auto line = outline(image.view(), 1, 2, 3);
  check::equal(line.size(), 12U);
  check::equal(repeats(line), 0U);
  check::is_true(area(line) > 0 && area(line) < 1e-4, "an area of next to nothing");
}

void nothing() {
  Image image(6, 6);
  for (std::size_t y = 1; y < 5; ++y) {
    for (std::size_t x = 1; x < 5; ++x) image(y, x) = 2;
  }
  check::equal(outline(image.view(), 1, 2, 2).size(), 16U);
  check::equal(outline(image.view(), 1, 0, 0).size(), 0U);
  check::equal(outline(image.view(), 1, 6, 2).size(), 0U);
  check::equal(outline(image.view(), 1, 2, 6).size(), 0U);
  check::equal(outline(image.view(), std::numeric_limits<double>::quiet_NaN(), 2, 2).size(), 0U);
  for (const auto& [y, x] : {std::pair{0, 2}, std::pair{5, 2}, std::pair{2, 0}, std::pair{2, 5}}) {
    Image touching = image;
    touching(static_cast<std::size_t>(y), static_cast<std::size_t>(x)) = 2;
    check::equal(outline(touching.view(), 1, 2, 2).size(), 0U);
    Image unknown = image;
    unknown(static_cast<std::size_t>(y), static_cast<std::size_t>(x)) = not_a_number;
    check::equal(outline(unknown.view(), 1, 2, 2).size(), 0U);
  }
  Image inside = image;
  inside(3, 3) = not_a_number;
  check::equal(outline(inside.view(), 1, 2, 2).size(), 16U);
  inside(4, 3) = std::numeric_limits<float>::infinity();
  check::equal(outline(inside.view(), 1, 2, 2).size(), 0U);
  check::equal(outline(inside.view(), 1, 4, 3).size(), 0U);
  const Image one(1, 1, 2);
  check::equal(outline(one.view(), 1, 0, 0).size(), 0U);
}

// The line of random textures encloses exactly the pixels of a flood that starts where it does, holes filled.
void textures() {
  scene::Normal random(3);
  for (int trial = 0; trial < 200; ++trial) {
    Image image(14, 17);
    for (std::size_t y = 1; y < 13; ++y) {
      for (std::size_t x = 1; x < 16; ++x) image(y, x) = static_cast<float>(random.uniform());
    }
    const auto level = 0.3 + 0.3 * random.uniform();
    const auto line = outline(image.view(), level, 7, 8);
    if (image(7, 8) < static_cast<float>(level)) continue;  // the dark side may reach the border
    check::equal(repeats(line), 0U);
    // Winding number of a pixel: crossings of the ray towards +x.
    const auto winding = [&](std::size_t y, std::size_t x) {
      int n = 0;
      const double py = static_cast<double>(y) + 1e-9;
      for (std::size_t i = 0; i < line.size(); ++i) {
        const Vertex& a = line[i];
        const Vertex& b = line[(i + 1) % line.size()];
        if ((a.y > py) == (b.y > py)) continue;
        const double at = a.x + (py - a.y) / (b.y - a.y) * (b.x - a.x);
        if (at > static_cast<double>(x)) n += b.y > a.y ? 1 : -1;
      }
      return n;
    };
    std::vector<bool> flood(image.pixels.size());
    std::vector<std::size_t> open{7 * image.width + 8};
    flood[open.back()] = true;
    while (!open.empty()) {
      const std::size_t i = open.back();
      open.pop_back();
      check::equal(winding(i / image.width, i % image.width), 1);
      for (const std::size_t k : {i - 1, i + 1, i - image.width, i + image.width}) {
        if (flood[k] || static_cast<double>(image.pixels[k]) < level) continue;
        flood[k] = true;
        open.push_back(k);
      }
    }
    for (std::size_t x = 0; x < image.width; ++x) check::equal(winding(0, x), 0);
    // Each vertex lies on a grid edge between a pixel of the flood and one that is none.
    for (const Vertex& v : line) {
      const auto at = [&](double y, double x) {
        return flood[static_cast<std::size_t>(y) * image.width + static_cast<std::size_t>(x)];
      };
      check::is_true(at(std::floor(v.y), std::floor(v.x)) != at(std::ceil(v.y), std::ceil(v.x)),
                     "a side of the region");
    }
  }
}

}  // namespace

int main() {
  disc();
  one_pixel();
  holes();
  saddle();
  on_the_level();
  nothing();
  textures();
  return check::result();
}
